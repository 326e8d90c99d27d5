"""How a fake provider answers one request: well, or with any fault a real one has shown.

A behaviour is chosen by model name, `fault:` and one or more words joined by `+`, each with an optional
`=argument`: `fault:429=2` (Retry-After 2), `fault:cut=3` (closes after 3 content chunks),
`fault:crlf+split=5+slow=0.2`. A prefix `provider/` is ignored. WORDS lists them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

DEFAULT_TEXT = "The quick brown fox jumps over the lazy dog and runs ."
"""Twelve words, which are twelve tokens and twelve chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One answer's script; counts are content chunks, times are seconds. The default is a good answer."""

    text: str = DEFAULT_TEXT
    status: int = 200
    error: Literal["by_status", "context_length"] = "by_status"
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent as it is, instead of what the dialect would say."""
    content_type: str = ""
    delay_s: float = 0.0
    """Before the headers."""
    first_s: float = 0.0
    """Between the headers (for a stream: and the role chunk) and the first content."""
    gap_s: float = 0.0
    """Between two content chunks."""
    before: Literal["", "reset", "close", "hang"] = ""
    """Instead of an answer: RST, FIN, or silence until the client leaves."""
    after: Literal["", "cut", "reset", "stall", "error", "end"] = ""
    """After `after_chunks`: FIN, RST, silence, an in-band error, or a clean end without the closing event."""
    after_chunks: int = 0
    truncated: bool = False
    """The JSON body ends half-way, its content-length agrees."""
    usage: Literal["normal", "none", "zero", "with_choices", "always"] = "normal"
    cached_tokens: int = 0
    split: int = 0
    """The body goes out in pieces of this many bytes, across event and character boundaries."""
    crlf: bool = False
    close: bool = False
    """No keep-alive: the connection closes after the answer."""
    fail: str = ""
    """A FailureKind that no server can play (`dns`, `tls`, `refused` ...); for the in-memory port alone."""


def behaviour_of(words: str, base: Behaviour | None = None) -> Behaviour:
    """The behaviour that `429=2+slow=0.1` means; ValueError names an unknown word."""
    behaviour = base or Behaviour()
    for word in words.split("+"):
        name, _, argument = word.partition("=")
        if name.isdigit():
            behaviour = _with_status(behaviour, int(name), argument)
        elif name in WORDS:
            behaviour = replace(behaviour, **WORDS[name](argument))
        else:
            raise ValueError(f"unknown fault '{name}'; known: a status, {', '.join(sorted(WORDS))}")
    return behaviour


def behaviour_of_model(model: str, default: Behaviour) -> Behaviour:
    """The behaviour that a model name asks for, or the default one."""
    name = model.rpartition("/")[2]
    return behaviour_of(name.removeprefix("fault:"), default) if name.startswith("fault:") else default


def _with_status(behaviour: Behaviour, status: int, retry_after: str) -> Behaviour:
    headers = {**behaviour.headers, **({"retry-after": retry_after} if retry_after else {})}
    return replace(behaviour, status=status, headers=headers)


def _count(argument: str, default: int) -> int:
    return int(argument) if argument else default


WORDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ok": lambda _: {},
    "reset": lambda _: {"before": "reset"},
    "close": lambda _: {"before": "close"},
    "hang": lambda _: {"before": "hang"},
    "hang-body": lambda _: {"after": "stall", "after_chunks": -1},
    "cut": lambda n: {"after": "cut", "after_chunks": _count(n, 3)},
    "cut-reset": lambda n: {"after": "reset", "after_chunks": _count(n, 3)},
    "stall": lambda n: {"after": "stall", "after_chunks": _count(n, 3)},
    "error-event": lambda n: {"after": "error", "after_chunks": _count(n, 3)},
    "no-done": lambda n: {"after": "end", "after_chunks": _count(n, 1_000_000)},
    "slow-headers": lambda s: {"delay_s": float(s or 1)},
    "slow": lambda s: {"first_s": float(s or 1)},
    "gap": lambda s: {"gap_s": float(s or 0.1)},
    "long": lambda n: {"text": " ".join(f"word{i}" for i in range(_count(n, 20_000)))},
    "empty": lambda _: {"text": ""},
    "wrong-json": lambda _: {"body": b"{'error': nonsense", "content_type": "application/json"},
    "truncated-json": lambda _: {"truncated": True},
    "not-http": lambda _: {"body": b"SSH-2.0-OpenSSH_9.6\r\n", "content_type": "raw"},
    "html": lambda _: {"body": b"<html>Welcome</html>", "content_type": "text/html; charset=utf-8"},
    "redirect": lambda _: {"status": 307, "headers": {"location": "http://127.0.0.1:9/v1"}},
    "no-usage": lambda _: {"usage": "none"},
    "zero-usage": lambda _: {"usage": "zero"},
    "usage-with-choices": lambda _: {"usage": "with_choices"},
    "usage-always": lambda _: {"usage": "always"},
    "cached": lambda n: {"cached_tokens": _count(n, 2)},
    "huge-header": lambda n: {"headers": {"x-huge": "h" * _count(n, 65_536)}},
    "split": lambda n: {"split": _count(n, 7)},
    "crlf": lambda _: {"crlf": True},
    "one-shot": lambda _: {"close": True},
    "context-length": lambda _: {"status": 400, "error": "context_length"},
    "fail": lambda kind: {"fail": kind or "refused"},
}
