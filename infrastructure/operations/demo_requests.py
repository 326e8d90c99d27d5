"""Invents the demo tenant's traffic: realistic, and the same at every run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import structs

from domain.kernel.request_record import Attempt, Decision, Outcome, RequestRecorded, TokenCounts

SEED = 20_260_131
REQUESTS = 2000
DAYS = 30
USERS = 24
Price = Callable[[str, str, TokenCounts, datetime], tuple[int | None, str | None]]
"""(provider, model, usage, at) -> (micro-dollars, price version)."""

SubjectOf = Callable[[str], str]
"""A person's pseudonym in the log."""

MINI, SMALL, LOCAL = "openai/gpt-4.1-mini", "acme-llm/acme-8b", "local/smollm2-135m-instruct"


class Traffic(NamedTuple):
    """What one segment of a workspace asks for; tokens and milliseconds are medians."""

    workspace: str
    segment: str
    version: int
    strategy: str
    targets: tuple[str, ...]
    share: int
    input_tokens: int
    output_tokens: int
    token_ms: float
    streams: float
    dialect: str = "openai"


TRAFFIC: Sequence[Traffic] = (
    Traffic(
        "default",
        "enterprise",
        3,
        "quality",
        ("anthropic/claude-sonnet-4-5", "openai/gpt-4.1", "acme-llm/acme-70b"),
        26,
        2400,
        520,
        14.0,
        0.7,
        "anthropic",
    ),
    Traffic("default", "standard", 3, "order", (MINI, SMALL), 34, 900, 260, 9.0, 0.5),
    Traffic("default", "*", 3, "order", (SMALL, LOCAL), 14, 420, 150, 7.0, 0.3),
    Traffic(
        "support",
        "chat",
        2,
        "latency",
        ("anthropic/claude-haiku-4-5", MINI),
        18,
        1300,
        210,
        6.0,
        0.9,
        "anthropic",
    ),
    Traffic("support", "*", 2, "latency", (MINI, LOCAL), 8, 700, 180, 9.0, 0.2),
)
FAILURES: Sequence[tuple[str, int | None, str, float]] = (
    ("status", 429, "rate limit reached for this organisation", 180),
    ("status", 529, "overloaded", 350),
    ("status", 500, "internal server error", 900),
    ("timeout_first_byte", None, "no first byte within the attempt's time", 8000),
    ("refused", None, "connection refused", 4),
)


def demo_requests(
    until: datetime, keys: Mapping[str, str], subject_of: SubjectOf, price: Price
) -> Iterator[RequestRecorded]:
    """Yield the demo's requests of the days before `until`; `keys` are key ids by workspace."""
    draw = random.Random(SEED)  # noqa: S311 - sample data, nothing secret
    for number in range(REQUESTS):
        traffic = draw.choices(TRAFFIC, weights=[each.share for each in TRAFFIC])[0]
        started_at = until - timedelta(seconds=_age(draw))
        user = f"user-{draw.randrange(USERS) + 1:02}@demo.example"
        stream = draw.random() < traffic.streams
        attempts = _attempts(draw, traffic, started_at, stream, price)
        recorded = _recorded(f"req_demo{number:05}", traffic, started_at, stream, attempts)
        yield structs.replace(
            recorded,
            key_id=keys[traffic.workspace],
            session=f"session-{draw.randrange(400):03}",
            subject=subject_of(user),
            user=user,
        )


def _age(draw: random.Random) -> float:
    """Seconds before the end: more of late than long ago, and few at night (UTC) or at weekends."""
    while True:
        age: float = DAYS * 86_400 * draw.random() ** 1.3
        hour = (24 - age / 3600) % 24
        if draw.random() < (0.25 if hour < 6 or age // 86_400 % 7 >= 5 else 1.0):
            return age


def _recorded(
    request_id: str, traffic: Traffic, started_at: datetime, stream: bool, attempts: tuple[Attempt, ...]
) -> RequestRecorded:
    last = attempts[-1]
    outcome, status, code = _outcome(last)
    first = last.first_content_ms
    costs = [each.cost_micros for each in attempts if each.usage is not None]
    return RequestRecorded(
        request_id=request_id,
        operation="messages" if traffic.dialect == "anthropic" else "chat",
        dialect=traffic.dialect,
        workspace=traffic.workspace,
        key_id="",
        started_at=started_at,
        duration_ms=last.started_ms + last.duration_ms,
        outcome=outcome,
        status=status,
        decision=_decision(traffic),
        attempts=attempts,
        stream=stream,
        segment=None if traffic.segment == "*" else traffic.segment,
        provider=last.provider,
        model=last.model,
        usage=last.usage,
        usage_source=last.usage_source,
        cost_micros=None if None in costs else sum(cost for cost in costs if cost is not None),
        unpriced=None in costs,
        first_content_ms=None if first is None else last.started_ms + first,
        fallback_reason=_reason(attempts[0]) if len(attempts) > 1 else None,
        error_code=code,
        finish_reason="stop" if outcome == "succeeded" else None,
    )


def _decision(traffic: Traffic) -> Decision:
    return Decision(
        requested_model="auto",
        policy=f"{traffic.workspace}@{traffic.version}",
        rule=traffic.segment,
        strategy=traffic.strategy,
        targets=traffic.targets,
        why=f"rule '{traffic.segment}' of {traffic.workspace}@{traffic.version}",
    )


def _attempts(
    draw: random.Random, traffic: Traffic, started_at: datetime, stream: bool, price: Price
) -> tuple[Attempt, ...]:
    made: list[Attempt] = []
    began = draw.randrange(1, 4)
    for target in traffic.targets:
        provider, _, model = target.partition("/")
        if draw.random() >= (0.06 if not made else 0.12):
            made.append(_answered(draw, traffic, (provider, model), began, started_at, stream, price))
            break
        kind, status, detail, took = draw.choice(FAILURES)
        spent = max(1, round(took * draw.uniform(0.7, 1.4)))
        made.append(
            Attempt(
                provider=provider,
                model=model,
                outcome=kind,
                started_ms=began,
                duration_ms=spent,
                status=status,
                cost_micros=0,
                detail=detail,
            )
        )
        began += spent + 1
    return tuple(made)


def _answered(
    draw: random.Random,
    traffic: Traffic,
    target: tuple[str, str],
    began: int,
    started_at: datetime,
    stream: bool,
    price: Price,
) -> Attempt:
    read = max(12, round(draw.lognormvariate(0, 0.6) * traffic.input_tokens))
    wrote = max(3, round(draw.lognormvariate(0, 0.7) * traffic.output_tokens))
    cached = read // 2 if target[0] != "local" and draw.random() < 0.3 else None
    first = round(draw.lognormvariate(0, 0.4) * 420)
    left = stream and draw.random() < 0.02
    usage = TokenCounts(input=read, cached_input=cached, output=wrote // 3 if left else wrote)
    cost, version = price(*target, usage, started_at)
    return Attempt(
        provider=target[0],
        model=target[1],
        outcome="client_gone" if left else "ok",
        started_ms=began,
        duration_ms=first + round((usage.output or 0) * traffic.token_ms),
        status=200,
        first_content_ms=first if stream else None,
        usage=usage,
        usage_source="partial" if left else "provider",
        cost_micros=cost,
        price_version=version or "unpriced",
    )


def _outcome(last: Attempt) -> tuple[Outcome, int, str | None]:
    if last.outcome == "ok":
        return "succeeded", 200, None
    if last.outcome == "client_gone":
        return "cancelled", 499, "client_gone"
    return "failed", 502, "upstream_failed"


def _reason(first: Attempt) -> str:
    return f"status_{first.status}" if first.outcome == "status" else first.outcome
