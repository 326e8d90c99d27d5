"""How long a provider asks to be left alone, in each way providers say it."""

import pytest

from infrastructure.providers.failures import MAX_RETRY_AFTER_S, from_status, kept_headers, retry_after

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "99999999"}, MAX_RETRY_AFTER_S),
        (
            {
                "date": NOW,
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-10-21T07:28:09Z",
                "anthropic-ratelimit-tokens-remaining": "5000",
                "anthropic-ratelimit-tokens-reset": "2026-10-21T07:59:00Z",
            },
            9.0,
        ),
        (
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0.5s"},
            360.5,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "120ms"}, None),
        ({"x-ratelimit-remaining-requests": "0"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == (None if seconds is None else pytest.approx(seconds))


def test_header_names_of_a_refusal_may_have_any_case() -> None:
    failure = from_status("acme", 429, {"Retry-After": "3", "X-Request-Id": "req_1"}, b"{}", None)

    assert failure.retry_after_s == 3.0
    assert failure.headers == {"retry-after": "3", "x-request-id": "req_1"}


def test_only_harmless_headers_are_kept() -> None:
    given = {"Set-Cookie": "a=b", "Request-Id": "r", "Anthropic-RateLimit-Tokens-Limit": "9", "Server": "x"}

    assert kept_headers(given) == {"request-id": "r", "anthropic-ratelimit-tokens-limit": "9"}
