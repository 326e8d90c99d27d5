"""Asks a provider through its vendor's own SDK whether it works: connection test and opt-in health probe.

The SDKs cost a process 25 MB (openai) and 50 MB (anthropic) that it never gives back, so the question is
asked by a short-lived process of its own. The credential goes there by standard input, never by arguments.
"""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import msgspec

from application.orchestration.upstream import Dialect, ProviderSpec

START_ALLOWANCE_S = 30.0
_ROOT = Path(__file__).resolve().parents[2]


class ProbeQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What the probing process is told; holds the credential, so it is never logged."""

    dialect: Dialect
    base_url: str
    api_key: str
    headers: dict[str, str]
    allow_private: bool
    model: str | None
    timeout_s: float


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the provider answered; `error` is the SDK's class of failure, `message` holds no secret.

    `status` is what was answered when that was an error, `kind` the FailureKind when there was no answer.
    `latency_s` is the request's alone; `models` are the names listed, when a list was asked for.
    """

    ok: bool
    latency_s: float = 0.0
    error: str = ""
    message: str = ""
    status: int | None = None
    kind: str = ""
    models: tuple[str, ...] = ()


async def probe(spec: ProviderSpec, *, model: str | None = None, timeout_s: float = 15.0) -> ProbeResult:
    """Lists the provider's models, which costs nothing, or asks `model` for a few tokens, which is billed.

    Never raises for what the provider does; takes at most `timeout_s` and the start of a process.
    """
    question = ProbeQuestion(
        dialect=spec.dialect,
        base_url=spec.base_url,
        api_key=spec.credential.reveal() if spec.credential else "",
        headers=dict(spec.headers),
        allow_private=spec.allow_private,
        model=model,
        timeout_s=timeout_s,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "infrastructure.providers.sdk_probe_process",
        cwd=_ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(timeout_s + START_ALLOWANCE_S):
            out, _ = await process.communicate(msgspec.json.encode(question))
        return msgspec.json.decode(out, type=ProbeResult)
    except TimeoutError:
        return ProbeResult(ok=False, error="Timeout", message=f"no result within {timeout_s:g} s")
    except msgspec.DecodeError:
        return ProbeResult(
            ok=False, error="ProbeFailed", message="the probing process ended without a result"
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
