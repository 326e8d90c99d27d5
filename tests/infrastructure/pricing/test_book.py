"""The compact price book says what the package says, without its weight."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.kernel.request_record import TokenCounts
from domain.usage.pricing import Price, UnitPrices, cost_micros
from infrastructure.pricing.book import PackagedPriceBook, package_edition
from infrastructure.pricing.edition import DatedPrices, dashed_date

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"
USAGE = TokenCounts(input=123_457, cached_input=23_000, cache_write=1_000, output=7_891)
SPECIAL = TokenCounts(
    input=123_457,
    cache_write=5_000,
    cache_write_1h=2_000,
    output=7_891,
    audio_input=3_000,
    audio_output=1_500,
    web_searches=7,
)
LONG = TokenCounts(input=523_457, cached_input=23_000, cache_write=1_000, output=7_891)


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prices")


@pytest.fixture(scope="session")
def book(directory: Path) -> PackagedPriceBook:
    return PackagedPriceBook.open(directory)


def test_a_public_model_has_its_price_and_the_edition_is_named(book: PackagedPriceBook):
    found = book.find("openai", OPENAI, "gpt-4o-mini", NOW)
    assert found == UnitPrices(
        version=book.version,
        input=Price(150_000_000),
        output=Price(600_000_000),
        cached_input=Price(75_000_000),
        search_nanos=found.search_nanos if found else 0,
    )
    assert book.version.startswith("genai-prices/0.2.3+")


@pytest.mark.parametrize(
    ("provider", "url", "model"),
    [
        ("openai", OPENAI, "no-such-model"),
        ("openai", OPENAI, "x" * 10_000),
        ("mine", "http://10.0.0.5:8000/v1", "gpt-4o"),
        ("groq", "http://10.0.0.5:8000/v1", "llama-3.3-70b-versatile"),
    ],
)
def test_what_the_book_does_not_know_has_no_price(
    book: PackagedPriceBook, provider: str, url: str, model: str
):
    assert book.find(provider, url, model, NOW) is None


def test_a_custom_provider_is_known_by_its_address(book: PackagedPriceBook):
    groq = book.find("fast", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", NOW)
    assert groq is not None
    assert groq.input.nanos > 0


def test_a_built_in_provider_behind_another_address_keeps_its_prices(book: PackagedPriceBook):
    behind_a_proxy = book.find("openai", "http://127.0.0.1:9/v1", "gpt-4o-mini", NOW)
    assert behind_a_proxy == book.find("openai", OPENAI, "gpt-4o-mini", NOW)


def test_prices_change_with_time(book: PackagedPriceBook):
    before = book.find("openai", OPENAI, "o3", datetime(2025, 5, 1, tzinfo=UTC))
    after = book.find("openai", OPENAI, "o3", datetime(2025, 7, 1, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.input.nanos, after.input.nanos) == (10 * 10**9, 2 * 10**9)


def test_context_windows_are_known(book: PackagedPriceBook):
    assert book.context_window("openai", OPENAI, "gpt-4o-mini") == 128_000
    assert book.context_window("openai", OPENAI, "no-such-model") is None


def package_price(provider: str, model: str, usage: TokenCounts) -> Decimal | None:
    """Return what the package itself asks for, in micro-dollars; None for a name it does not know."""
    from genai_prices import Usage
    from genai_prices.data_snapshot import get_snapshot

    theirs = Usage(
        input_tokens=usage.input,
        cache_read_tokens=usage.cached_input,
        cache_write_tokens=usage.cache_write,
        output_tokens=usage.output,
        **{
            name: count
            for name, count in (
                ("cache_write_1h_tokens", usage.cache_write_1h),
                ("input_audio_tokens", usage.audio_input),
                ("output_audio_tokens", usage.audio_output),
                ("web_searches", usage.web_searches),
            )
            if count is not None
        },
    )
    try:
        return get_snapshot().calc(theirs, model, provider, None, NOW).total_price * 1_000_000
    except LookupError:
        return None


@pytest.mark.parametrize("usage", [USAGE, LONG, SPECIAL], ids=["short", "long", "special"])
def test_every_model_costs_what_the_package_says(book: PackagedPriceBook, usage: TokenCounts):
    from genai_prices.data import providers

    compared = 0
    for provider, model in ((each.id, model.id) for each in providers for model in each.models):
        expected = package_price(provider, model, usage)
        prices = provider_prices(book, provider, model)
        if prices is None:
            assert not expected, f"{provider}/{model} has a price"
            continue
        assert expected is not None
        difference = abs(Decimal(cost_micros(usage, prices)) - expected)
        assert difference <= Decimal("0.5000001"), f"{provider}/{model}"
        compared += 1
    assert compared > 2_000


def provider_prices(book: PackagedPriceBook, provider: str, model: str) -> UnitPrices | None:
    found = book._match(book._providers[provider], model.lower())
    return None if found is None else found.at(NOW)


@pytest.mark.parametrize(
    ("hours", "holds"), [(0, True), (16, False), (16.5, True), (23.9, True), (0.49, True), (0.5, False)]
)
def test_a_price_may_hold_for_a_part_of_each_day(hours: float, holds: bool):
    at_night = DatedPrices(
        UnitPrices(version="v"),
        None,
        datetime(2026, 1, 1, 16, 30).time(),  # noqa: DTZ001  # a time of day has no zone
        datetime(2026, 1, 1, 0, 30).time(),  # noqa: DTZ001  # as above
    )
    assert at_night.holds(datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hours)) is holds


@pytest.mark.parametrize(
    ("name", "dashed"),
    [("gpt-5-20251211", "gpt-5-2025-12-11"), ("m-20251399", "m-20251399"), ("m-20250230", "m-20250230")],
)
def test_compact_dates_in_names_are_read(name: str, dashed: str):
    assert dashed_date(name) == dashed


def test_opening_again_reads_the_file_and_a_broken_file_is_made_anew(
    book: PackagedPriceBook, directory: Path
):
    (kept,) = directory.iterdir()
    good = kept.read_bytes()
    kept.write_bytes(good[: len(good) // 2])
    assert PackagedPriceBook.open(directory).version == book.version
    assert kept.read_bytes() == good
    assert len(good) < 1_000_000
    assert package_edition().name == book.version


def test_a_process_that_prices_does_not_carry_the_packages_weight(book: PackagedPriceBook, directory: Path):
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from infrastructure.pricing.book import PackagedPriceBook\n"
        "book = PackagedPriceBook.open(Path(sys.argv[1]))\n"
        f"assert book.find('openai', {OPENAI!r}, 'gpt-4o', datetime.now(UTC))\n"
        "print('genai_prices' in sys.modules or 'pydantic' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code, directory], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_an_unreadable_directory_is_an_error_that_names_it(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with pytest.raises(NotADirectoryError):
        PackagedPriceBook.open(blocked)
