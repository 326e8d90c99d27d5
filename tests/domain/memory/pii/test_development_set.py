"""The detector holds its targets on the development set, when it lies beside the repository."""

from __future__ import annotations

import pytest

from benchmarks.pii import DATA, load_scorer
from tests.domain.memory.pii.given import DETECTOR

TARGETS = {"EMAIL": 0.97, "CREDIT_CARD": 0.98, "SSN": 0.93, "PHONE": 0.80, "ALL": 0.90}

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"the development set is not at {DATA.name}")


def test_scores_and_over_masking_hold():
    scorer = load_scorer()
    records = scorer.load(DATA)

    found = [[scorer.norm(span) for span in DETECTOR.detect(record["text"])] for record in records]
    counts, negatives = scorer.score(records, found)

    scores = scorer.rows(counts)
    assert {kind: scores[kind]["f2"] >= target for kind, target in TARGETS.items()} == dict.fromkeys(
        TARGETS, True
    )
    assert 1000 * negatives["over"] <= negatives["chars"]
