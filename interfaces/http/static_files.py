"""Reads built web files from one folder: safe paths, entity tags, gzip made once per file."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec
from litestar import Response

from interfaces.http.request import ApiRequest

COMPRESSIBLE: Final = (
    "text/",
    "application/javascript",
    "application/json",
    "image/svg+xml",
    "application/wasm",
)
SMALLEST_TO_COMPRESS: Final = 1024
FOREVER: Final = "public, max-age=31536000, immutable"
REVALIDATE: Final = "no-cache"


class WebFile(msgspec.Struct, frozen=True):
    """A file ready to be sent, plain and, when it pays, compressed."""

    media_type: str
    etag: str
    plain: bytes
    gzipped: bytes | None


def find_file(folder: Path, name: str) -> WebFile | None:
    """Return a file below the folder, None when there is no such file or the name leads out of the folder."""
    try:
        root = folder.resolve()
        path = (root / name.lstrip("/")).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return None
        found = path.stat()
    except (OSError, ValueError):  # names that no file can have: too long, or with U+0000
        return None
    return _load(path, found.st_mtime_ns, found.st_size)


def answer_file(
    request: ApiRequest, file: WebFile, *, cache: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Return the file, or 304 when the client has it already."""
    sent = {"etag": file.etag, "cache-control": cache, "vary": "accept-encoding", **(headers or {})}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=sent, media_type=file.media_type)
    body = file.plain
    if file.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, sent["content-encoding"] = file.gzipped, "gzip"
    return Response(body, headers=sent, media_type=file.media_type)


@lru_cache(maxsize=256)
def _load(path: Path, _modified_ns: int, _size: int) -> WebFile:
    plain = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    gzipped = None
    if media_type.startswith(COMPRESSIBLE) and len(plain) >= SMALLEST_TO_COMPRESS:
        gzipped = gzip.compress(plain, 6, mtime=0)
    return WebFile(media_type, f'"{hashlib.sha256(plain).hexdigest()[:24]}"', plain, gzipped)
