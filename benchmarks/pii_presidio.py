"""Microsoft Presidio on JSON lines, for benchmarks/pii.py; runs alone, in an environment that has Presidio.

Reads `{id, text}` lines, writes one JSON object: `spans` by line, processor `seconds`, and `engine`. With
the spaCy model en_core_web_lg or en_core_web_sm it is used; otherwise the pattern recognisers run on a
blank English pipeline whose lemmas are the words themselves, so that their context words still count.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from typing import Any

KINDS = ["EMAIL_ADDRESS", "PHONE_NUMBER", "US_SSN", "CREDIT_CARD"]
MODELS = ("en_core_web_lg", "en_core_web_sm")


def analyzer() -> tuple[Any, str]:
    """Return Presidio's analyzer and what it runs on."""
    spacy = importlib.import_module("spacy")
    presidio = importlib.import_module("presidio_analyzer")
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    model = next((name for name in MODELS if importlib.util.find_spec(name)), None)
    if model is not None:
        pipeline = spacy.load(model)
    else:
        pipeline = spacy.blank("en")
        language = importlib.import_module("spacy.language")
        language.Language.component("own_lemmas", func=_own_lemmas)
        pipeline.add_pipe("own_lemmas")
    engine = engines.SpacyNlpEngine()
    engine.nlp = {"en": pipeline}
    named = model or "pattern recognisers on a blank pipeline"
    return presidio.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"]), named


def _own_lemmas(document: Any) -> Any:
    for token in document:
        token.lemma_ = token.lower_
    return document


def main() -> None:
    """Answer standard input."""
    engine, named = analyzer()
    texts = [json.loads(line)["text"] for line in sys.stdin if line.strip()]
    engine.analyze(text="warm up ann@example.org", entities=KINDS, language="en")
    begin = time.process_time()
    found = [engine.analyze(text=text, entities=KINDS, language="en") for text in texts]
    seconds = time.process_time() - begin
    spans = [[[span.start, span.end, span.entity_type] for span in line] for line in found]
    json.dump({"spans": spans, "seconds": seconds, "engine": named}, sys.stdout)


if __name__ == "__main__":
    main()
