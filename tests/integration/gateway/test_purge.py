"""Purges of gateway requests: names, prompts and answers go, what was used stays counted."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")
