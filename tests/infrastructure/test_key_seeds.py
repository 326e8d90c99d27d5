"""Seeds of API keys: repeatable for one command, unrelated for any other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.key_seeds import HmacSecretSource

SOURCE = HmacSecretSource(b"s" * 32)
PARTS = st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))


@given(PARTS, PARTS)
def test_only_the_same_command_has_the_same_seed(one: tuple[str, str, str], other: tuple[str, str, str]):
    assert (SOURCE.seed(*one) == SOURCE.seed(*other)) == (one == other)
    assert len(SOURCE.seed(*one)) == 32


def test_another_installation_has_other_seeds():
    assert HmacSecretSource(b"t" * 32).seed("key", "acme", "c1") != SOURCE.seed("key", "acme", "c1")


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        HmacSecretSource(b"short")
