"""The PII detector on the development set: scores, texts a second on one core, and huge adversarial texts.

Microsoft Presidio runs beside it when it is installed. `python -m benchmarks.pii [--json]`.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from application.memory.pii_phone_plans import LibraryPhonePlans
from domain.kernel.pii import ScrubMode
from domain.memory.pii.detector import Detector
from domain.memory.pii.scrubbing import Scrubber
from domain.memory.pii.stream import StreamScrubber

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "pii" / "dev.jsonl"
ROUNDS = 3
HUGE = 100_000
UNITS = ("1", "12 ", "123 456 ", "4111 ", "a@a.", "+49 30 123456 ", "(1)", ":", "GB12 ABCD ", " at xx dot")

Detect = Callable[[str], Any]


def load_scorer() -> ModuleType:
    """Return the scorer that comes with the data."""
    spec = importlib.util.spec_from_file_location("score_pii", DATA.with_name("score_pii.py"))
    if spec is None or spec.loader is None:
        raise FileNotFoundError(DATA.with_name("score_pii.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def presidio() -> Detect | None:
    """Return Presidio's analyzer as a detector, if it and its language model are installed."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        return None
    analyzer = importlib.import_module("presidio_analyzer").AnalyzerEngine()
    kinds = ["EMAIL_ADDRESS", "PHONE_NUMBER", "US_SSN", "CREDIT_CARD"]
    return lambda text: analyzer.analyze(text=text, entities=kinds, language="en")


def measure(detect: Detect, records: list[dict[str, Any]], scorer: ModuleType) -> dict[str, Any]:
    """Score a detector and time its fastest of a few rounds, in processor seconds."""
    detect("warm up ann@example.org, +49 30 901820")
    best = float("inf")
    found: list[Any] = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        found = [detect(record["text"]) for record in records]
        best = min(best, time.process_time() - begin)
    counts, negatives = scorer.score(records, [[scorer.norm(span) for span in spans] for spans in found])
    return {
        "texts_per_s": round(len(records) / best),
        "f2": {kind: row["f2"] for kind, row in scorer.rows(counts).items()},
        "leak": {kind: row["leak"] for kind, row in scorer.rows(counts).items()},
        "over_masked_per_1000": round(1000 * negatives["over"] / max(1, negatives["chars"]), 3),
    }


def worst_case(detect: Detect) -> dict[str, Any]:
    """Return the slowest of the adversarial texts of 100 kB, in processor seconds."""
    slowest = (0.0, "")
    for unit in UNITS:
        text = unit * (HUGE // len(unit))
        begin = time.process_time()
        detect(text)
        slowest = max(slowest, (time.process_time() - begin, unit))
    return {"seconds": round(slowest[0], 3), "unit": slowest[1]}


def streaming(detector: Detector, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Feed long prose in pieces of four characters; return pieces a second and characters held back."""
    text = "\n".join(record["text"] for record in records)[:200_000]
    stream = StreamScrubber(Scrubber(detector, ScrubMode.REDACT))
    begin = time.process_time()
    for at in range(0, len(text), 4):
        stream.feed(text[at : at + 4])
    stream.flush()
    return {"pieces_per_s": round(len(text) / 4 / (time.process_time() - begin))}


def main() -> None:
    """Measure and print."""
    if not DATA.exists():
        print("skipped: the development set shared/data/pii/dev.jsonl is not beside the repository")
        return
    scorer = load_scorer()
    records = scorer.load(DATA)
    detector = Detector(LibraryPhonePlans())
    results: dict[str, Any] = {"ours": measure(detector.detect, records, scorer)}
    beside = presidio()
    results["presidio"] = measure(beside, records, scorer) if beside else "not installed"
    results["worst_case_100kB"] = worst_case(detector.detect)
    results["stream"] = streaming(detector, records)
    if "--json" in sys.argv:
        print(json.dumps(results))
        return
    for name, result in results.items():
        print(f"{name}: {result if isinstance(result, str) else json.dumps(result)}")


if __name__ == "__main__":
    main()
