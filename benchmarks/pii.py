"""The PII detector on the development set: scores, texts a second on one core, and huge adversarial texts.

Microsoft Presidio runs beside it when it is installed or, with --presidio, fetched.
`python -m benchmarks.pii [--json] [--presidio]`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
import venv
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
UNITS: tuple[str, ...] = (
    "1",
    "12 ",
    "00 ",
    "0 0-",
    "123 456 ",
    "4111 ",
    "a@a.",
    "+49 30 123456 ",
    "(1)",
    ":",
    "GB12 ABCD ",
)
UNITS += (" at xx dot", "one two ", "079 ", "1 2 3 4 5 6 7 8 9 0 ", "phone 123456 ")

Detect = Callable[[str], Any]


def load_scorer() -> ModuleType:
    """Return the scorer that comes with the data."""
    spec = importlib.util.spec_from_file_location("score_pii", DATA.with_name("score_pii.py"))
    if spec is None or spec.loader is None:
        raise FileNotFoundError(DATA.with_name("score_pii.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def presidio(records: list[dict[str, Any]], scorer: ModuleType) -> dict[str, Any] | str:
    """Score Presidio in this environment, or with --presidio in a temporary one that pip fills."""
    if importlib.util.find_spec("presidio_analyzer") is not None:
        return _presidio_with(sys.executable, records, scorer)
    if "--presidio" not in sys.argv:
        return "not installed; --presidio fetches it into a temporary environment"
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", "presidio-analyzer"], check=True)
        return _presidio_with(python, records, scorer)


def _presidio_with(python: str, records: list[dict[str, Any]], scorer: ModuleType) -> dict[str, Any]:
    lines = "".join(json.dumps({"id": record["id"], "text": record["text"]}) + "\n" for record in records)
    script = Path(__file__).with_name("pii_presidio.py")
    done = subprocess.run(
        [python, str(script)],
        input=lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return {"engine": answer["engine"]} | rated(answer["spans"], answer["seconds"], records, scorer)


def measure(detect: Detect, records: list[dict[str, Any]], scorer: ModuleType) -> dict[str, Any]:
    """Score a detector and time its fastest of a few rounds, in processor seconds."""
    detect("warm up ann@example.org, +49 30 901820")
    best = float("inf")
    found: list[Any] = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        found = [detect(record["text"]) for record in records]
        best = min(best, time.process_time() - begin)
    return rated(found, best, records, scorer)


def rated(
    found: list[Any], seconds: float, records: list[dict[str, Any]], scorer: ModuleType
) -> dict[str, Any]:
    """Return the scores of what was found, and texts a processor second."""
    counts, negatives = scorer.score(records, [[scorer.norm(span) for span in spans] for spans in found])
    return {
        "texts_per_s": round(len(records) / seconds),
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
    stream = StreamScrubber(detector, Scrubber(detector, ScrubMode.REDACT).replacements())
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
    results["presidio"] = presidio(records, scorer)
    results["worst_case_100kB"] = worst_case(detector.detect)
    results["stream"] = streaming(detector, records)
    if "--json" in sys.argv:
        print(json.dumps(results))
        return
    for name, result in results.items():
        print(f"{name}: {result if isinstance(result, str) else json.dumps(result)}")


if __name__ == "__main__":
    main()
