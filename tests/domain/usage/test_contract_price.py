"""Contract prices: versions, times, and what the fold in memory makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.kernel.errors import InvalidInput, NotFound
from domain.usage.contract_price import ContractPrice
from domain.usage.price_events import ContractPriceSet
from domain.usage.pricing import Price, UnitPrices

AT = datetime(2030, 1, 1, tzinfo=UTC)
CHEAP = UnitPrices(version="", input=Price(1))


def contract() -> ContractPrice:
    return ContractPrice.blank("acme/contract-price/openai/gpt", AT)


def put(made: ContractPrice, at: datetime = AT, since: datetime | None = None) -> ContractPriceSet:
    return made.set("openai", "gpt", CHEAP, at, effective_from=since, reason="deal")


def test_each_setting_is_a_version_that_names_itself():
    made = contract()
    first, second = put(made), put(made)
    assert (first.number, first.prices.version, first.effective_from) == (1, "contract@1", AT)
    assert (second.number, second.prices.version) == (2, "contract@2")


def test_the_past_is_never_re_priced():
    with pytest.raises(InvalidInput, match="/effective_from: history is never re-priced"):
        put(contract(), since=AT - timedelta(seconds=1))
    later = put(contract(), since=AT + timedelta(days=1))
    assert later.effective_from == AT + timedelta(days=1)


def test_a_contract_ends_once():
    made = contract()
    put(made)
    made.end("openai", "gpt", AT, "over")
    assert made.current is None
    assert made.number == 2
    with pytest.raises(NotFound, match="openai/gpt"):
        made.end("openai", "gpt", AT, "again")


@pytest.mark.parametrize(
    ("provider", "model", "pointer"),
    [("", "m", "/provider"), ("a/b", "m", "/provider"), ("a", " ", "/model"), ("a", "x" * 257, "/model")],
)
def test_names_are_checked(provider: str, model: str, pointer: str):
    with pytest.raises(InvalidInput, match=f"^{pointer}"):
        contract().set(provider, model, CHEAP, AT, effective_from=None, reason="")
