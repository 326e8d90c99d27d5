"""The overview in every state: signed out, full, empty, failing, narrow and dark."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.ui.answers import EVENTS, NO_USAGE, NOTHING, NOTICES, POLICY, USAGE, problem
from tests.ui.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def everything_answers(visit: Visit) -> None:
    await visit.answers("/usage/summary", USAGE)
    await visit.answers("/model-policy", POLICY)
    await visit.answers("/audit/events", EVENTS)
    await visit.answers("/usage/notices", NOTHING)


async def test_a_wrong_key_is_refused_with_a_reason_and_a_right_one_opens_the_overview(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in("not-a-key")
    await expect(visit.page.get_by_role("alert")).to_contain_text("This key is not known")
    await visit.page.get_by_label("API key", exact=True).fill("key-admin")
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    await visit.page.reload()
    await expect(visit.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


async def test_the_key_stays_nowhere_that_a_script_could_read(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in()
    await expect(visit.page.get_by_role("heading", name="Overview")).to_be_visible()
    readable = await visit.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        " + document.documentElement.outerHTML"
    )
    assert "key-admin" not in readable
    assert "aios_session" not in readable
    (cookie,) = await visit.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert "key-admin" not in cookie["value"]


async def test_caps_that_were_reached_stand_at_the_top(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.answers("/usage/notices", NOTICES)
    await visit.sign_in()
    notices = visit.page.get_by_role("region", name="Notices")
    for text in (
        "Hard cap of workspace sales reached",
        "Soft cap of the tenant crossed",
        "800,000 tokens of 1,000,000 tokens",
        "It warns at 80 %.",
    ):
        await expect(notices).to_contain_text(text)


async def test_the_overview_shows_components_usage_policy_and_events(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in()
    page = visit.page
    await expect(page.get_by_role("region", name="Components")).to_contain_text("All 2 components run")
    await expect(page.get_by_role("region", name="Components")).to_contain_text("Job queue")
    usage = page.get_by_role("region", name="Usage this period")
    for text in ("1,234", "51,789", "45,000 in, 6,789 out", "$1.25", "98.5%", "250 ms", "12.4 s", "4,321"):
        await expect(usage).to_contain_text(text)
    policy = page.get_by_role("region", name="Model policy")
    for text in ("default@7", "anthropic/claude-large", "openai/gpt-large, local", "4,000 ms", "by latency"):
        await expect(policy).to_contain_text(text)
    rows = page.get_by_role("region", name="Latest events").get_by_role("row")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(1)).to_contain_text("4,321")


async def test_an_event_opens_to_what_it_recorded_as_plain_text(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in()
    toggle = visit.page.get_by_role("button", name="orchestration.model_policy_set").first
    await toggle.click()
    await expect(toggle).to_have_attribute("aria-expanded", "true")
    await expect(visit.page.get_by_text("<script>alert(1)</script>")).to_be_visible()


async def test_a_new_tenant_is_told_what_to_do_next(visit: Visit) -> None:
    await visit.answers("/usage/summary", NO_USAGE)
    await visit.answers("/model-policy", problem(404, "never set"), status=404)
    await visit.answers("/audit/events", NOTHING)
    await visit.sign_in()
    for text in ("No requests yet", "No policy is set for workspace", "Nothing has been recorded yet"):
        await expect(visit.page.get_by_text(text)).to_be_visible()


async def test_a_failing_component_is_named(visit: Visit) -> None:
    await everything_answers(visit)
    components = {"database": {"status": "failing", "ms": 2000.1, "detail": "no answer within 2 s"}}
    components |= {"job_queue": {"status": "ok", "ms": 0.4}}
    await visit.answers("/health/ready", problem(503, "not ready", components=components), status=503)
    await visit.sign_in()
    region = visit.page.get_by_role("region", name="Components")
    await expect(region.get_by_role("status")).to_have_text("1 of 2 components failing: Database")
    await expect(region).to_contain_text("no answer within 2 s")


async def test_a_part_that_fails_says_why_and_mends_itself_while_the_others_work(visit: Visit) -> None:
    await everything_answers(visit)
    refusal = problem(403, "this needs one of the roles admin, auditor", request_id="req_42")
    await visit.answers("/audit/events", refusal, status=403)
    await visit.sign_in()
    events = visit.page.get_by_role("region", name="Latest events")
    await expect(events.get_by_role("alert")).to_contain_text("this needs one of the roles")
    await expect(events).to_contain_text("req_42")
    await expect(visit.page.get_by_role("region", name="Usage this period")).to_contain_text("51,789")
    await visit.answers("/audit/events", EVENTS)
    await events.get_by_role("button", name="Try again").click()
    await expect(events.get_by_role("row")).to_have_count(4)


async def test_signing_out_ends_the_session(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in()
    await visit.page.get_by_role("button", name="Sign out").click()
    await expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await visit.page.context.cookies() == []
    await visit.page.reload()
    await expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_an_unknown_address_leads_back(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in(path="/admin/nothing-here")
    await expect(visit.page.get_by_role("heading", name="No such page")).to_be_visible()
    await visit.page.get_by_role("link", name="Go to the overview").click()
    await expect(visit.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


async def test_every_link_of_the_navigation_leads_somewhere(visit: Visit) -> None:
    await everything_answers(visit)
    await visit.sign_in()
    links = visit.page.get_by_role("navigation", name="Pages").get_by_role("link")
    await expect(links).not_to_have_count(0)
    targets = [await link.get_attribute("href") for link in await links.all()]
    for target in targets:
        answer = await visit.page.goto(str(target))
        assert answer is not None
        assert answer.ok, target
        await expect(visit.page.get_by_text("No such page")).to_have_count(0)


async def test_on_a_telephone_nothing_overflows_and_the_navigation_opens(
    browser: Browser, address: str
) -> None:
    async with Visit.begin(browser, address, viewport={"width": 360, "height": 740}) as visit:
        await everything_answers(visit)
        await visit.sign_in()
        await expect(visit.page.get_by_role("region", name="Latest events").get_by_role("row")).to_have_count(
            4
        )
        width = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360
        link = visit.page.get_by_role("link", name="API reference")
        await expect(link).not_to_be_in_viewport()
        await visit.page.get_by_role("button", name="Show navigation").click()
        await expect(link).to_be_in_viewport()
    assert visit.problems == []


async def test_the_system_decides_between_light_and_dark(browser: Browser, address: str) -> None:
    backgrounds = set()
    for scheme in ("light", "dark"):
        async with Visit.begin(browser, address, color_scheme=scheme) as visit:
            await visit.page.goto("/admin")
            await expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()
            backgrounds.add(await visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


async def test_the_api_reference_works_without_any_network(visit: Visit) -> None:
    await visit.page.goto("/docs")
    await visit.page.locator(".opblock-summary-control").first.click()
    await expect(visit.page.get_by_text("/api/ai-advanced/session", exact=False).first).to_be_visible()
