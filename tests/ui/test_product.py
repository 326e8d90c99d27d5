"""The console of the running product, as `make up` starts it: nothing here is canned."""

from __future__ import annotations

from typing import Protocol

import pytest
from playwright.async_api import Browser, expect

from tests.ui.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


class RunningProduct(Protocol):
    """What these tests need of the fixture `product`."""

    base_url: str
    api_key: str


async def test_the_overview_of_the_running_product_loads_in_every_part(
    browser: Browser, product: RunningProduct
) -> None:
    async with Visit.begin(browser, product.base_url) as visit:
        await visit.sign_in(product.api_key)
        page = visit.page
        await expect(page.get_by_role("region", name="Components").get_by_role("status")).to_contain_text(
            "run"
        )
        for part in ("Usage this period", "Model policy", "Latest events"):
            await expect(page.get_by_role("region", name=part).get_by_role("status")).to_have_count(0)
        await expect(page.get_by_role("alert")).to_have_count(0)
        rows = page.get_by_role("region", name="Latest events").get_by_role("row")
        await expect(rows).not_to_have_count(0)
    assert visit.problems == []


async def test_the_api_reference_of_the_running_product_lists_its_operations(
    browser: Browser, product: RunningProduct
) -> None:
    async with Visit.begin(browser, product.base_url) as visit:
        await visit.page.goto("/docs")
        await expect(visit.page.locator(".opblock-summary-control")).not_to_have_count(0)
    assert visit.problems == []
