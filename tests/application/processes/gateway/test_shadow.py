"""Shadows: copies for an experiment's shadow target, recorded apart and never in the caller's way."""

from __future__ import annotations

from collections.abc import Mapping

from application.processes.gateway.admission import Admitted, Unlimited
from application.processes.gateway.call import GatewayCall
from application.processes.gateway.outcome import Refused
from application.processes.gateway.shadow import AT_ONCE, MOST_WAITING, SUFFIX
from domain.kernel.request_record import RequestRecorded, ShadowRecorded
from domain.orchestration.catalogue import Catalogue
from domain.orchestration.policy import Arm, Experiment, Policy, Rule
from domain.orchestration.routing import Route
from tests.application.processes.gateway.world import World, call, refused, streamed, whole


def shadowed(shadow: str | None = "two/shadow", **rule: object) -> Policy:
    """Return a policy whose experiment has two arms of one model and a shadow."""
    arms = (Arm(model="a"), Arm(model="a2"))
    experiment = Experiment(name="try", arms=arms, shadow=shadow)
    made = Rule(segment="*", provider="one", model="a", experiment=experiment, **rule)  # type: ignore[arg-type]  # by name
    return Policy(rules=(made,))


class NoRoomForShadows:
    """Admits requests of callers, and refuses shadows."""

    async def admit(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Admitted:
        if call.request_id.endswith(SUFFIX):
            raise Refused(429, "quota_exceeded", "no quota for shadows")
        return Unlimited(64)

    def preview(self, call: GatewayCall, route: Route, catalogue: Catalogue) -> Mapping[str, str]:
        return {}


async def shadow_of(world: World) -> ShadowRecorded:
    """Return the shadow once it is recorded."""
    await world.until(lambda: any(isinstance(record, ShadowRecorded) for record in world.records))
    (found,) = [record for record in world.records if isinstance(record, ShadowRecorded)]
    return found


def own(world: World) -> RequestRecorded:
    """Return the record of the caller's request."""
    (found,) = [record for record in world.records if type(record) is RequestRecorded]
    return found


async def test_a_copy_goes_to_the_shadow_target_and_is_recorded_apart() -> None:
    world = World(shadowed())
    answer, _ = await whole(world, call(user="ann@example.com"))
    shadow = await shadow_of(world)
    assert answer.headers["x-aios-provider"] == "one"
    assert own(world).provider == "one"
    assert (shadow.shadow_of, shadow.request_id) == ("req_1", f"req_1{SUFFIX}")
    assert (shadow.provider, shadow.model, shadow.outcome) == ("two", "shadow", "succeeded")
    assert (shadow.decision.experiment, shadow.decision.arm) == ("try", own(world).decision.arm)
    assert shadow.usage is not None
    assert shadow.usage_source == "provider"
    assert shadow.cost_micros == (shadow.usage.input or 0) + 2 * (shadow.usage.output or 0)
    assert (shadow.user, shadow.subject) == (None, own(world).subject)
    first, copy = world.upstream.requests
    assert first.json["messages"] == copy.json["messages"]


async def test_a_stream_is_copied_as_a_stream() -> None:
    world = World(shadowed())
    _, body = await streamed(world, call(stream=True))
    shadow = await shadow_of(world)
    assert b"[DONE]" in body
    assert (shadow.stream, shadow.outcome) == (True, "succeeded")
    assert shadow.first_content_ms is not None
    assert shadow.usage is not None
    assert shadow.usage.output == 12


async def test_the_caller_does_not_wait_for_a_shadow_that_hangs() -> None:
    world = World(shadowed())
    world.upstream.script("hang", model="shadow")
    answer, _ = await whole(world, call())
    assert answer.status == 200
    await world.until(lambda: "two" in world.upstream.providers)
    await world.gateway.aclose()
    shadow = await shadow_of(world)
    assert (shadow.outcome, shadow.error_code) == ("cancelled", "process_ended")


async def test_a_shadow_that_fails_is_counted_as_failed() -> None:
    world = World(shadowed())
    world.upstream.script("500", model="shadow")
    await whole(world, call())
    shadow = await shadow_of(world)
    assert (shadow.outcome, shadow.status, [a.outcome for a in shadow.attempts]) == (
        "failed",
        502,
        ["status"],
    )
    assert own(world).outcome == "succeeded"


async def test_a_stream_that_breaks_is_interrupted() -> None:
    world = World(shadowed())
    world.upstream.script("cut=3", model="shadow")
    await streamed(world, call(stream=True))
    shadow = await shadow_of(world)
    assert (shadow.outcome, shadow.attempts[0].outcome) == ("interrupted", "cut")


async def test_quotas_are_asked_and_a_refused_shadow_is_told() -> None:
    world = World(shadowed())
    world.admit_by(NoRoomForShadows())
    await whole(world, call())
    shadow = await shadow_of(world)
    assert (shadow.outcome, shadow.error_code, shadow.attempts) == ("failed", "quota_exceeded", ())
    assert world.upstream.providers == ["one"]


async def test_a_shadow_target_that_must_rest_is_left_alone() -> None:
    world = World(shadowed())
    world.upstream.script(*["500"] * 5, model="shadow")
    for number in range(5):
        await whole(world, call(number=number))
        await world.until(lambda n=number: len(world.records) == 2 * (n + 1))  # type: ignore[misc]  # bound now
    await whole(world, call(number=9))
    await world.until(lambda: len(world.records) == 12)
    shadow = next(r for r in world.records if r.request_id == f"req_9{SUFFIX}")
    assert (shadow.error_code, shadow.attempts) == ("shadow_resting", ())


async def test_without_a_shadow_or_for_a_mistake_of_the_caller_nothing_is_copied() -> None:
    world = World(shadowed(shadow=None))
    await whole(world, call(number=1))
    world.policy_set = shadowed()
    world.upstream.script("400", model="a")
    world.upstream.script("400", model="a2")
    await refused(world, call(number=2))
    await world.gateway.aclose()
    assert [type(record) for record in world.records] == [RequestRecorded, RequestRecorded]


async def test_too_many_at_once_are_told_and_not_sent() -> None:
    world = World(shadowed())
    most = AT_ONCE + MOST_WAITING
    world.upstream.script(*["hang"] * most, model="shadow")
    for number in range(most + 1):
        await whole(world, call(number=number))
    shadow = await shadow_of(world)
    assert (shadow.error_code, shadow.attempts) == ("no_room_for_shadow", ())
    assert world.upstream.providers.count("two") <= AT_ONCE
    await world.gateway.aclose()
