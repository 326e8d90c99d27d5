"""Whose price counts: the tenant's own, the book's, or none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from application.usage.pricer import Pricer
from domain.kernel.request_record import TokenCounts
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import ModelPrices, ModelSpec
from domain.usage.pricing import Price, UnitPrices

AT = datetime(2030, 1, 1, tzinfo=UTC)
USAGE = TokenCounts(input=1_000_000, output=1_000_000)
OWN = ModelPrices(input_per_mtok_usd=Decimal("0.5"), output_per_mtok_usd=Decimal("1.25"))


class Book:
    """Knows one model."""

    version = "book-1"

    def find(self, provider: str, base_url: str, model: str, at: datetime) -> UnitPrices | None:
        known = (provider, model) == ("openai", "gpt-4o")
        return UnitPrices(version=self.version, input=Price(2_000_000_000)) if known else None


def seller(name: str, *models: ModelSpec) -> Connection:
    return Connection(name=name, dialect="openai", base_url="http://x", revision=4, models=models)


PRICER = Pricer(Book())


def test_the_book_prices_public_models_and_names_its_edition():
    assert PRICER.cost(seller("openai"), "gpt-4o", USAGE, AT) == (2_000_000, "book-1")


def test_a_tenants_own_prices_come_first_and_name_their_revision():
    mine = seller("openai-proxy", ModelSpec(name="gpt-4o", prices=OWN))
    assert PRICER.cost(mine, "gpt-4o", USAGE, AT) == (1_750_000, "openai-proxy@4")


def test_an_unknown_price_is_none_and_not_zero():
    assert PRICER.cost(seller("vllm", ModelSpec(name="m")), "m", USAGE, AT) == (None, None)
    assert PRICER.rate(seller("vllm"), "m", AT) is None


def test_the_embedded_model_costs_nothing():
    assert PRICER.cost(seller("local"), "smol", USAGE, AT) == (0, "local")
    assert PRICER.rate(seller("local"), "smol", AT) == 0
