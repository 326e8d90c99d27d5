"""Rating answers through the bus, and what decisions learn from it."""

from __future__ import annotations

import pytest

from application.binding import bind
from application.orchestration.feedback import HANDLERS, FeedbackPorts, GiveFeedback, RatedRequest
from application.orchestration.measures import LiveMeasures, Rating
from domain.kernel.errors import Forbidden, InvalidInput, NotFound
from domain.orchestration.experiments import Tally
from domain.orchestration.policy import Arm, Experiment
from tests.application.office import Office
from tests.domain.orchestration.samples import policy, rule

RATED = RatedRequest(
    workspace="team",
    provider="openai",
    model="gpt-5",
    segment="chat",
    experiment="tone",
    arm="openai/gpt-5",
    subject="s1",
)


async def find(tenant: str, request_id: str) -> RatedRequest | None:
    return RATED if (tenant, request_id) == ("acme", "req_1") else None


@pytest.fixture
def office() -> Office:
    return Office(bind(HANDLERS, FeedbackPorts(requests=find)))


async def test_a_rating_is_an_event_that_knows_whose_answer_it_is_about(office: Office):
    # when
    answer = await office.send(GiveFeedback(request_id="req_1", score=0.5, comment="fine"), "service")
    # then
    (envelope,) = office.log.envelopes
    event = envelope.event
    assert (event.score, event.provider, event.model, event.arm) == (0.5, "openai", "gpt-5", "openai/gpt-5")
    assert (event.subject, event.comment, event.workspace) == ("s1", "fine", "team")
    assert envelope.stream_id.startswith("acme/feedback/")
    assert (answer.request_id, answer.score, answer.experiment) == ("req_1", 0.5, "tone")


@pytest.mark.parametrize(("given", "counts"), [(0.0, -1.0), (0.5, 0.0), (1.0, 1.0)])
async def test_a_score_from_nought_to_one_is_stretched(office: Office, given: float, counts: float):
    answer = await office.send(GiveFeedback(request_id="req_1", score=given, scale="0..1"))
    assert answer.score == counts


async def test_a_rating_needs_a_request_of_ones_own_and_a_role(office: Office):
    with pytest.raises(NotFound):
        await office.send(GiveFeedback(request_id="other", score=1))
    with pytest.raises(NotFound):
        await office.send(GiveFeedback(request_id="req_1", score=1), workspace="elsewhere")
    with pytest.raises(Forbidden):
        await office.send(GiveFeedback(request_id="req_1", score=1), "auditor")
    with pytest.raises(InvalidInput, match="scale"):
        await office.send(GiveFeedback(request_id="req_1", score=-0.5, scale="0..1"))
    assert office.log.envelopes == []


def test_ratings_and_results_become_measures():
    # given
    arms = (Arm(model="gpt-5"), Arm(model="smol", provider="local"))
    active = policy(
        rule(experiment=Experiment(name="tone", arms=arms, method="thompson", exploration_floor=0.1)),
        rule(segment="fixed", experiment=Experiment(name="still", arms=arms)),
    )
    measures = LiveMeasures(lambda _: {"local/smol": 20.0}, lambda _: {"local/smol": 1.0})
    assert measures("acme").quality.get("openai/gpt-5", 0.25) == 0.25
    # when
    measures.learn(
        [Rating(tenant="acme", target="openai/gpt-5", count=40, total=36.0, squares=34.0)],
        [("acme", active)],
        {
            ("acme", "default", "tone", "openai/gpt-5"): Tally(requests=99, succeeded=99),
            ("acme", "default", "tone", "local/smol"): Tally(requests=99, succeeded=3),
        },
    )
    # then
    found = measures("acme")
    assert 0.5 < found.quality.get("openai/gpt-5", 0.0) < 0.9
    assert found.arm_shares["tone"] == pytest.approx((0.9, 0.1), abs=1e-3)
    assert "still" not in found.arm_shares
    assert found.first_content_ms.get("local/smol", 0.0) == 20.0
    assert measures("other").arm_shares == {}
