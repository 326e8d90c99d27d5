"""Token counts of the record, from what dialects report and from several attempts."""

from __future__ import annotations

from collections.abc import Mapping

from application.orchestration.dialects.model import TokenUsage
from domain.kernel.request_record import TokenCounts


def counts_of(usage: TokenUsage) -> TokenCounts:
    """Return reported usage in the words of the record."""
    return TokenCounts(
        input=usage.input_tokens,
        cached_input=usage.cached_input_tokens,
        cache_write=usage.cache_write_tokens,
        output=usage.output_tokens,
        reasoning=usage.reasoning_tokens,
        cache_write_1h=usage.cache_write_1h_tokens,
        audio_input=usage.audio_input_tokens,
        audio_output=usage.audio_output_tokens,
        web_searches=usage.web_searches,
    )


def sum_of(parts: list[TokenCounts]) -> TokenCounts | None:
    """Return the counts of several attempts together; what none of them reported stays None."""
    if len(parts) < 2:
        return parts[0] if parts else None

    def total(field: str) -> int | None:
        values = [v for v in (getattr(part, field) for part in parts) if v is not None]
        return sum(values) if values else None

    sums: Mapping[str, int | None] = {field: total(field) for field in TokenCounts.__struct_fields__}
    return TokenCounts(**sums)
