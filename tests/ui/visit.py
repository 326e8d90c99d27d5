"""One person's visit to the console: a fresh browser profile, and everything that went wrong in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Request, Route

# Chromium logs every answer above 399; the pages themselves show those, and tests look there.
EXPECTED = "Failed to load resource"


@dataclass
class Visit:
    """A page, its address, and what the browser complained about."""

    page: Page
    address: str
    problems: list[str] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def begin(cls, browser: Browser, address: str, **options: Any) -> AsyncIterator[Visit]:
        """Open a fresh profile; `options` are those of Playwright's `new_context`."""
        context = await browser.new_context(base_url=address, **options)
        visit = cls(await context.new_page(), address)
        visit.page.on("console", visit._console)
        visit.page.on("pageerror", lambda error: visit.problems.append(f"uncaught: {error}"))
        visit.page.on("request", visit._request)
        yield visit
        await context.close()

    async def sign_in(self, key: str = "key-admin", path: str = "/admin") -> None:
        """Open a page of the console and sign in."""
        await self.page.goto(path)
        await self.page.get_by_label("API key", exact=True).fill(key)
        await self.page.get_by_role("button", name="Sign in").click()

    async def answers(self, path: str, body: Any, status: int = 200) -> None:
        """Let the browser get this answer for a path (query ignored) from now on."""
        await self.page.unroute(f"**{path}*")
        kind = "application/json" if status < 400 else "application/problem+json"

        async def fulfil(route: Route) -> None:
            await route.fulfill(status=status, body=json.dumps(body), content_type=kind)

        await self.page.route(f"**{path}*", fulfil)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.problems.append(f"request to another host: {request.url}")
