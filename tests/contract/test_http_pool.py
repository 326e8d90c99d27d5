"""Kept-alive connections: reused, replaced when they died, closed when a provider goes."""

import asyncio
import contextlib
import gc
import weakref

import pytest

from application.orchestration.upstream import FailureKind, UpstreamFailure
from infrastructure.providers.answer import HttpAnswer
from infrastructure.providers.http import HttpUpstream
from tests.contract.conftest import call
from tests.contract.exchanges import completed, failure, spec, text_of
from tests.fakes.upstream import FakeUpstream


async def test_kept_alive_connection_that_died_is_replaced_once(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    """Given a pooled connection, when it is reset instead of answered, then a fresh one is tried."""
    provider = spec(server.openai_base_url)
    await completed(http, provider)

    server.script("reset", "ok")
    answer = await completed(http, provider)

    assert answer["usage"]["completion_tokens"] == 12
    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_fresh_connection_that_fails_is_not_tried_again(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    server.script("reset", "ok")

    refused = await failure(http, spec(server.openai_base_url))

    assert refused.kind is FailureKind.RESET
    assert len(server.requests) == 1


async def test_reset_after_a_long_silence_is_not_tried_again(server: FakeUpstream) -> None:
    """A provider that worked on the request and then broke may bill it: that is no stale connection."""
    http = HttpUpstream(stale_window_s=0.0)
    provider = spec(server.openai_base_url)
    await completed(http, provider)

    server.script("reset", "ok")

    assert (await failure(http, provider)).kind is FailureKind.RESET
    await http.aclose()


async def test_provider_that_restarted_is_found_again(http: HttpUpstream, server: FakeUpstream) -> None:
    provider = spec(server.openai_base_url)
    await completed(http, provider)

    await server.stop()
    assert (await failure(http, provider)).kind in (FailureKind.REFUSED, FailureKind.RESET)
    await server.start()

    assert (await completed(http, provider))["model"] == "fake-large"


async def test_idle_connections_closed_by_the_provider_do_no_harm(
    http: HttpUpstream, server: FakeUpstream
) -> None:
    provider = spec(server.openai_base_url)
    await completed(http, provider)

    server.drop_idle_connections()

    assert (await completed(http, provider))["model"] == "fake-large"


async def test_forgotten_provider_finishes_its_answers(http: HttpUpstream, server: FakeUpstream) -> None:
    provider = spec(server.openai_base_url)
    answer = await http.open(provider, call("fault:gap=0.02", stream=True))

    await http.forget("acme")

    assert (await text_of(answer)).endswith(b"data: [DONE]\n\n")
    await answer.aclose()
    assert (await completed(http, provider))["model"] == "fake-large"


async def test_forgotten_provider_still_answers_who_waits(http: HttpUpstream, server: FakeUpstream) -> None:
    waiting = asyncio.ensure_future(
        completed(http, spec(server.openai_base_url), call("fault:slow-headers=0.2"))
    )
    await server.wait_for_requests(1)

    await http.forget("acme")

    assert (await waiting)["model"] == "fault:slow-headers=0.2"


async def test_closing_the_adapter_ends_running_answers(server: FakeUpstream) -> None:
    http = HttpUpstream()
    waiting = await http.open(spec(server.openai_base_url), call("fault:stall=0", stream=True))
    untouched = await http.open(spec(server.openai_base_url), call("fault:stall=0", stream=True))
    reading = asyncio.ensure_future(text_of(waiting))
    await asyncio.sleep(0.05)

    await http.aclose()

    for read in (reading, text_of(untouched)):
        with pytest.raises(UpstreamFailure) as caught:
            await read
        assert caught.value.kind is FailureKind.CUT


@pytest.mark.parametrize("behaviour", ["fault:stall=2", "fault:hang-body", "fault:cut=2", "fault:ok"])
async def test_ended_answers_leave_nothing_in_memory(
    http: HttpUpstream, server: FakeUpstream, behaviour: str
) -> None:
    """aiohttp's shared error object would keep every answer it was raised in."""

    async def exchange() -> weakref.ref[HttpAnswer]:
        given = call(behaviour, stream=True, within_s=0.1, idle_s=0.05)
        answer = await http.open(spec(server.openai_base_url), given)
        with contextlib.suppress(UpstreamFailure):
            await text_of(answer)
        await answer.aclose()
        return weakref.ref(answer)

    seen = [await asyncio.create_task(exchange()) for _ in range(3)]
    await asyncio.sleep(0.01)
    gc.collect()

    assert [ref() for ref in seen] == [None, None, None]
