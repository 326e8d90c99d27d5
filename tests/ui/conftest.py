"""A headless Chromium, and the console served by the real HTTP application."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar
from playwright.async_api import Browser, async_playwright, expect

from infrastructure.web_build import build
from interfaces.http.app import create_app
from tests.interfaces.http.fakes import World
from tests.ui.visit import Visit

expect.set_options(timeout=30_000)  # generous, since the machine may be busy; a good page answers at once
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for a module's tests; each visit has a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM)
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def dist() -> Path:
    """The built console; the first build takes some twenty seconds."""
    return build(print)


@pytest.fixture
def world(dist: Path) -> World:
    """The HTTP application's services: `key-admin` signs in, two components answer."""

    async def answers() -> None:
        return None

    return World(dist=dist, probes={"database": answers, "job_queue": answers})


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The root URL of the application on a free port of the loopback interface."""
    listener = socket.create_server(("127.0.0.1", 0))
    app: Litestar = create_app(world.services())
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, address: str) -> AsyncIterator[Visit]:
    """A visit by someone who is not signed in; afterwards, nothing may have gone wrong in the browser."""
    async with Visit.begin(browser, address) as begun:
        yield begun
    assert begun.problems == []
