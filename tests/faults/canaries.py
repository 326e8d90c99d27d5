"""Unique strings planted for a person, and a search for them in every file in any form they may take."""

from __future__ import annotations

import base64
import gzip
import secrets
import urllib.parse
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CHUNK = 1 << 22
LONGEST = 400


def mark() -> str:
    """Return what all canaries of a person have in common and nothing else holds."""
    return f"zq{secrets.token_hex(6)}zq"


def forms(word: str) -> set[bytes]:
    """Return the forms a word could be stored in: raw, case, base64 at each offset, hex, URL, UTF-16."""
    found: set[bytes] = set()
    for text in {word, word.upper(), word.lower(), word[::-1]}:
        raw = text.encode()
        found |= {raw, raw.hex().encode(), raw.hex().upper().encode()}
        found |= {text.encode("utf-16-le"), text.encode("utf-16-be")}
        found |= {"".join(f"%{byte:02X}" for byte in raw).encode(), urllib.parse.quote(text).encode()}
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + raw)
            # the characters that depend on neighbours are cut off at both ends
            core = coded[4 * bool(offset) + (1 if offset else 0) : -4]
            found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def hits(folder: Path, words: list[str]) -> list[str]:
    """Return `file: word` for each file below a folder that holds a word in any form."""
    wanted = {form: word for word in words for form in forms(word)}
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found += sorted({f"{path.relative_to(folder)}: {wanted[form]}" for form in _held(path, wanted)})
    return found


def _held(path: Path, wanted: dict[bytes, str]) -> Iterator[bytes]:
    for content in (*_pieces(path), *_unpacked(path)):
        yield from (form for form in wanted if form in content)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        kept = b""
        while piece := file.read(CHUNK):
            yield kept + piece
            kept = piece[-LONGEST:]


def _unpacked(path: Path) -> Iterator[bytes]:
    if path.suffix in {".gz", ".zz"} and path.stat().st_size < CHUNK:
        with suppress(OSError, zlib.error, EOFError):
            yield gzip.decompress(path.read_bytes())
