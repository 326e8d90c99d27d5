"""Lets uv use the package index that pip is configured for, since uv does not read pip's configuration."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

# pip's option -> uv's variable, and the variables that show the user has already told uv.
INDEX_OPTIONS = {
    "index-url": ("UV_DEFAULT_INDEX", ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    "extra-index-url": ("UV_INDEX", ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
    "find-links": ("UV_FIND_LINKS", ("UV_FIND_LINKS",)),
    "no-index": ("UV_OFFLINE", ("UV_OFFLINE",)),
}
NETWORK_OPTIONS = {
    "cert": ("SSL_CERT_FILE", ("SSL_CERT_FILE",)),
    "client-cert": ("SSL_CLIENT_CERT", ("SSL_CLIENT_CERT",)),
    "trusted-host": ("UV_INSECURE_HOST", ("UV_INSECURE_HOST",)),
    "proxy": ("ALL_PROXY", ("ALL_PROXY", "HTTPS_PROXY", "https_proxy")),
    "timeout": ("UV_HTTP_TIMEOUT", ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT")),
    "default-timeout": ("UV_HTTP_TIMEOUT", ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT")),
}
SECTIONS = ("global", "install", ":env:")  # later ones win, as in pip


def uv_environment(listed: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with uv's variables set from `listed`, the output of `pip config list`.

    What is already set for uv, by variable or by its own configuration file, stays as it is.
    """
    told = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    own_file = any(Path(folder, "uv", "uv.toml").exists() for folder in (told, "/etc"))
    table = NETWORK_OPTIONS if own_file else {**INDEX_OPTIONS, **NETWORK_OPTIONS}
    result = dict(environ)
    for option, value in pip_options(listed).items():
        variable, already = table.get(option, ("", ()))
        if variable and value and not any(environ.get(name) for name in already):
            result[variable] = value
    if "UV_INDEX" in result:  # pip takes the best version of all indexes; every file is checked by hash
        result.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    result.setdefault("UV_HTTP_TIMEOUT", "120")
    return result


def pip_options(listed: str) -> dict[str, str]:
    """Read `section.option='value'` lines into uv's notation of each value."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for line in listed.splitlines():
            name, separator, quoted = line.partition("=")
            if separator and name.startswith(f"{section}."):
                option = name.removeprefix(f"{section}.")
                found[option] = uv_notation(option, ast.literal_eval(quoted))
    return found


def uv_notation(option: str, value: str) -> str:
    """Translate a value: uv separates find-links by commas, and wants its folders to exist."""
    if option == "find-links":
        return ",".join(place for place in value.split() if "://" in place or Path(place).exists())
    return " ".join(value.split())
