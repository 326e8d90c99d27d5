"""Makes every log line, of this product or of a library, one JSON object on stderr and in the log file."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import structlog
from structlog.typing import Processor

from infrastructure.telemetry.log_file import LogFile
from infrastructure.telemetry.redaction import redact, redact_text
from infrastructure.telemetry.request_log import RequestLog

QUIET = ("uvicorn.access", "httpx", "httpcore", "aiohttp.access", "psycopg.pool")
FRAMES = 12
EventDict = MutableMapping[str, Any]


def configure(level: str = "INFO", path: Path | None = None) -> RequestLog:
    """Send all logging to stderr and, when given, to the file; safe to call again in every process.

    Lines hold `time` (UTC), `level`, `event`, `logger` and what the caller bound, never credentials. Returns
    the log of requests, which goes the same way.
    Raises ValueError for an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level '{level}'; use DEBUG, INFO, WARNING or ERROR")
    write_line = _writer(path)

    def write(text: str) -> None:
        write_line(text.replace("\n", "\\n").encode("utf-8", "backslashreplace") + b"\n")

    structlog.configure(
        processors=[*_common(), structlog.processors.JSONRenderer(serializer=_to_json)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _LineLogger(write),
        cache_logger_on_first_use=True,
    )
    handler = _LineHandler(write)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_common()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return RequestLog(write_line, number)


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _describe_exception,
        _redact_event,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    hidden: EventDict = redact(dict(event))
    return hidden


def _describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by type, first line of the message and frames; later lines may quote stored data."""
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = info if isinstance(info, BaseException) else _current(info)
    if error is not None:
        event["exception"] = [_describe(e) for e in _causes(error)]
    return event


def _current(info: Any) -> BaseException | None:
    return info[1] if isinstance(info, tuple) else sys.exc_info()[1]


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain and len(chain) < 4:
        chain.append(step)
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    return chain


def _describe(error: BaseException) -> dict[str, Any]:
    message = str(error).split("\n", 1)[0][:300]
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": redact_text(message),
        "frames": _frames(error.__traceback__),
    }


def _frames(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-FRAMES:]
    return [f"{Path(f.filename).parent.name}/{Path(f.filename).name}:{f.lineno} {f.name}" for f in frames]


def _to_json(event: Any, **_: Any) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, or a key that is no text
        return json.dumps({str(key): repr(value) for key, value in event.items()})


def _writer(path: Path | None) -> Callable[[bytes], None]:
    file = LogFile(path) if path else None

    def write(line: bytes) -> None:
        with contextlib.suppress(OSError):  # a closed terminal must not stop the product
            os.write(2, line)
        if file is not None:
            file.write(line)

    return write


class _LineLogger:
    """The end of structlog's chain: hands the finished line to the writer."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.msg = write

    def __getattr__(self, _name: str) -> Callable[[str], None]:
        return self.msg


class _LineHandler(logging.Handler):
    """The end of the standard library's chain: hands the finished line to the same writer."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is reported by the logging package itself."""
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001  # logging never raises into the code that logs
            self.handleError(record)
