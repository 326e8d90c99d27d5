"""Whose price counts: the tenant's own, the book's, or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from application.usage.pricer import Pricer
from domain.kernel.request_record import TokenCounts
from domain.orchestration.connection import Connection
from domain.orchestration.provider_spec import ModelPrices, ModelSpec
from domain.usage.pricing import Price, UnitPrices, cost_micros

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


class Deals:
    """Has a contract of tenant `acme` for one model, from AT on."""

    def find(self, tenant: str, provider: str, model: str, at: datetime) -> UnitPrices | None:
        if (tenant, provider, model) != ("acme", "openai", "gpt-4o") or at < AT:
            return None
        return UnitPrices(version="contract@1", output=Price(7_000_000_000))


PRICER = Pricer(Book(), Deals())


def cost(sold_by: Connection, model: str, tenant: str = "other", at: datetime = AT) -> tuple[int, str] | None:
    prices = PRICER.prices(tenant, sold_by, model, at)
    return None if prices is None else (cost_micros(USAGE, prices), prices.version)


def test_the_book_prices_public_models_and_names_its_edition():
    assert cost(seller("openai"), "gpt-4o") == (2_000_000, "book-1")


def test_a_tenants_own_prices_come_first_and_name_their_revision():
    mine = seller("openai-proxy", ModelSpec(name="gpt-4o", prices=OWN))
    assert cost(mine, "gpt-4o") == (1_750_000, "openai-proxy@4")


def test_a_contract_comes_before_everything_for_its_tenant_and_from_its_time_on():
    assert cost(seller("openai"), "gpt-4o", "acme") == (7_000_000, "contract@1")
    assert cost(seller("openai"), "gpt-4o", "acme", AT - timedelta(seconds=1)) == (2_000_000, "book-1")
    assert cost(seller("openai", ModelSpec(name="gpt-4o", prices=OWN)), "gpt-4o", "acme") == (
        7_000_000,
        "contract@1",
    )


def test_an_unknown_price_is_none_and_not_zero():
    assert cost(seller("vllm", ModelSpec(name="m")), "m") is None


def test_the_embedded_model_costs_nothing():
    assert cost(seller("local"), "smol") == (0, "local")
