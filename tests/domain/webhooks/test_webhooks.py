"""Endpoints and deliveries: what may be asked for, who is told, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.errors import InvalidInput, LimitReached, NotFound
from domain.webhooks.delivery import PAUSES_S, Answer, Delivery
from domain.webhooks.endpoints import MOST_ENDPOINTS, Webhooks
from domain.webhooks.events import DeliveryRequested, WebhookRemoved

AT = datetime(2030, 1, 1, tzinfo=UTC)
OFFERED = {"usage.soft_cap_reached", "usage.hard_cap_reached"}


def webhooks() -> Webhooks:
    return Webhooks.blank("acme/webhooks/endpoints", AT)


def create(made: Webhooks, webhook_id: str, *events: str, at: datetime = AT) -> None:
    made.create(webhook_id, "http://x", events, "whsec_x", at, description="", offered=OFFERED)


def test_an_endpoint_is_told_of_what_it_asked_for_from_its_creation_on():
    made = webhooks()
    create(made, "all", "*")
    create(made, "soft", "usage.soft_cap_reached")
    create(made, "late", "*", at=AT + timedelta(seconds=1))

    def wanting(event: str) -> list[str]:
        return [each.webhook_id for each in made.wanting(event, AT)]

    assert wanting("usage.soft_cap_reached") == ["all", "soft"]
    assert wanting("usage.hard_cap_reached") == ["all"]


def test_a_removed_endpoint_retires_its_credential():
    made = webhooks()
    create(made, "w", "*")
    made.remove("w", AT)
    assert made.endpoints == {}
    with pytest.raises(NotFound, match="no webhook 'w'"):
        made.remove("w", AT)
    assert WebhookRemoved(webhook_id="w", removed_at=AT, retired=("webhook/w",)).retired == ("webhook/w",)


@pytest.mark.parametrize(("events", "pointer"), [((), "/events"), (("*", "usage.nope"), "/events/1")])
def test_only_offered_events_can_be_asked_for(events: tuple[str, ...], pointer: str):
    with pytest.raises(InvalidInput, match=r"usage.hard_cap_reached, usage.soft_cap_reached") as refused:
        create(webhooks(), "w", *events)
    assert refused.value.errors[0].pointer == pointer


def test_a_tenant_has_a_bounded_number_of_endpoints():
    made = webhooks()
    for number in range(MOST_ENDPOINTS):
        create(made, f"w{number}", "*")
    with pytest.raises(LimitReached):
        create(made, "more", "*")


def delivery() -> Delivery:
    made = Delivery.blank("acme/webhook-delivery/msg_1", AT)
    made.apply(
        DeliveryRequested(
            message_id="msg_1", webhook_id="w", event_type="t", event_position=1, requested_at=AT
        )
    )
    return made


def test_pauses_grow_until_it_is_given_up_after_some_three_days():
    made, at, states = delivery(), AT, []
    while made.state == "waiting":
        event = made.attempted(Answer(outcome="refused", status=500), at)
        states.append(event.state)
        assert made.waits_until(at) == event.next_at
        at = event.next_at or at
    assert states == ["waiting"] * len(PAUSES_S) + ["failed"]
    assert timedelta(days=2) < at - AT < timedelta(days=4)
    assert made.waits_until(at) is None


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(outcome="delivered", status=200), "delivered"),
        (Answer(outcome="refused", status=410), "failed"),
        (Answer(outcome="removed"), "dropped"),
        (Answer(outcome="timeout"), "waiting"),
    ],
)
def test_what_comes_after_an_attempt(answer: Answer, state: str):
    assert delivery().attempted(answer, AT).state == state
