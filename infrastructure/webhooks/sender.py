"""Posts to endpoints of tenants: within the egress rules, no redirects, no more than fifteen seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from domain.webhooks.delivery import Answer
from domain.webhooks.events import Outcome
from infrastructure.providers.egress import EgressForbidden, GuardedResolver, check_host

TIMEOUT_S = 15.0


class HttpSender:
    """Implements Sender; make it inside the event loop that uses it."""

    def __init__(
        self, *, allow_private: bool, names: AbstractResolver | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._allow_private = allow_private
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(allow_private=allow_private, inner=names), force_close=True
            ),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            trust_env=False,
            auto_decompress=False,
        )

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST the body; any 2xx is a delivery. The answer's body is not read."""
        began = time.monotonic()
        outcome, status, detail = await self._post(URL(url, encoded=True), headers, body)
        took = round((time.monotonic() - began) * 1000)
        return Answer(outcome=outcome, status=status, detail=detail, duration_ms=took)

    async def _post(
        self, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[Outcome, int | None, str]:
        try:
            check_host(url.raw_host or "", allow_private=self._allow_private)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
        except EgressForbidden as refused:
            return "forbidden", None, str(refused)
        except TimeoutError:
            return "timeout", None, "the endpoint did not answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return "unreachable", None, f"the endpoint cannot be reached: {type(error).__name__}"
        if 200 <= status < 300:
            return "delivered", status, ""
        return "refused", status, f"the endpoint answered {status}"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()
