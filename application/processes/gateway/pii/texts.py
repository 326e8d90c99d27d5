"""What is done to a text on its way: scrubbed, restored, or both; whole and in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from application.memory.pii_values import map_texts, scrub_value
from domain.memory.pii.detector import Detector
from domain.memory.pii.json_text import JsonTextReplacements
from domain.memory.pii.restoring import RestoringStream
from domain.memory.pii.scrubbing import Replacements, restore
from domain.memory.pii.stream import StreamScrubber


class Texts(Protocol):
    """Treats texts and JSON values."""

    def text(self, text: str) -> str:
        """Return what goes on in a text's place; raises PiiDetectionFailed."""
        ...

    def value(self, value: Any) -> Any:
        """Return what goes on in a JSON value's place; raises PiiDetectionFailed, InvalidInput."""
        ...


class Scrubbed:
    """Takes personal data out."""

    def __init__(self, detector: Detector, replacements: Replacements) -> None:
        self._detector = detector
        self._replacements = replacements

    def text(self, text: str) -> str:
        """See `Texts`."""
        return self._replacements.replace(text, self._detector.detect(text))

    def value(self, value: Any) -> Any:
        """See `Texts`."""
        return scrub_value(value, self._detector, self._replacements)


class Treated:
    """Scrubs an answer, then puts back the originals of the prompt's pseudonyms; either may be left out."""

    def __init__(
        self, detector: Detector | None, replacements: Replacements, pseudonyms: Mapping[str, str]
    ) -> None:
        self._detector = detector
        self._replacements = replacements
        self._pseudonyms = pseudonyms

    def text(self, text: str) -> str:
        """See `Texts`."""
        if self._detector is not None:
            text = self._replacements.replace(text, self._detector.detect(text))
        return restore(text, self._pseudonyms)

    def value(self, value: Any) -> Any:
        """See `Texts`."""
        if self._detector is not None:
            value = scrub_value(value, self._detector, self._replacements)
        return map_texts(value, lambda text: restore(text, self._pseudonyms)) if self._pseudonyms else value

    def channel(self, *, json_text: bool) -> Channel:
        """Begin a text that arrives in pieces; `json_text` keeps it JSON."""
        return Channel(self._detector, self._replacements, self._pseudonyms, json_text=json_text)


class Channel:
    """One text of an answer that arrives in pieces."""

    def __init__(
        self,
        detector: Detector | None,
        replacements: Replacements,
        pseudonyms: Mapping[str, str],
        *,
        json_text: bool,
    ) -> None:
        writer = JsonTextReplacements(replacements) if json_text else replacements
        self._scrubber = StreamScrubber(detector, writer) if detector is not None else None
        self._restorer = RestoringStream(pseudonyms, json_text=json_text) if pseudonyms else None
        self._taken: list[str] = []
        self._given: list[str] = []

    def feed(self, text: str) -> str:
        """Take the next piece and return what may go on by now; raises PiiDetectionFailed."""
        self._taken.append(text)
        if self._scrubber is not None:
            text = self._scrubber.feed(text)
        return self._give(self._restorer.feed(text) if self._restorer is not None else text)

    def flush(self) -> str:
        """Return the rest; raises PiiDetectionFailed."""
        text = self._scrubber.flush() if self._scrubber is not None else ""
        if self._restorer is not None:
            text = self._restorer.feed(text) + self._restorer.flush()
        return self._give(text)

    @property
    def changed(self) -> bool:
        """Whether what went on differs from what came, once it is flushed."""
        return "".join(self._taken) != "".join(self._given)

    def _give(self, text: str) -> str:
        self._given.append(text)
        return text
