"""Contract prices in memory hold from their time on, until the next one or their end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from domain.kernel.events import Envelope, Event
from domain.usage.price_events import ContractPriceEnded, ContractPriceSet
from domain.usage.pricing import UnitPrices
from projections.usage.price_live import ContractPrices

AT = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def stored(event: Event, tenant: str = "acme") -> Envelope[Event]:
    return Envelope(
        position=1,
        tenant=tenant,
        stream_id="s",
        version=1,
        type=event.TYPE,
        schema_version=1,
        recorded_at=AT,
        command_id="c",
        correlation="r",
        actor="key/a",
        event=event,
    )


def agreed(number: int, since: datetime) -> Event:
    return ContractPriceSet(
        provider="p",
        model="m",
        number=number,
        set_at=AT,
        effective_from=since,
        prices=UnitPrices(version=f"contract@{number}"),
    )


def fold(*events: Event) -> ContractPrices:
    made = ContractPrices()
    for event in events:
        made.apply(stored(event))
    return made


def version(made: ContractPrices, at: datetime, tenant: str = "acme") -> str | None:
    found = made.find(tenant, "p", "m", at)
    return found.version if found else None


def test_a_price_holds_from_its_time_on_for_its_tenant_alone():
    made = fold(agreed(1, AT), agreed(2, AT + DAY))
    assert [version(made, AT - DAY), version(made, AT), version(made, AT + DAY)] == [
        None,
        "contract@1",
        "contract@2",
    ]
    assert version(made, AT, "other") is None
    assert made.find("acme", "p", "other", AT) is None


def test_what_is_set_later_for_an_earlier_time_replaces_what_was_to_come():
    made = fold(agreed(1, AT + 2 * DAY), agreed(2, AT + DAY))
    assert version(made, AT + 3 * DAY) == "contract@2"


def test_an_ended_contract_holds_no_more_but_still_did():
    end = ContractPriceEnded(provider="p", model="m", number=3, ended_at=AT + DAY)
    made = fold(agreed(1, AT), agreed(2, AT + 2 * DAY), end)
    assert [version(made, AT), version(made, AT + DAY), version(made, AT + 3 * DAY)] == [
        "contract@1",
        None,
        None,
    ]
