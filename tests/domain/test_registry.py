"""The registry knows every context's events, so nothing in the log is unknown by oversight."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import domain
from domain.registry import event_registry

CONTEXTS = sorted(path.parent.name for path in Path(domain.__path__[0]).glob("*/events.py"))


@pytest.mark.parametrize("context", [name for name in CONTEXTS if name != "kernel"])
def test_every_context_with_events_is_registered(context: str):
    events = importlib.import_module(f"domain.{context}.events")
    missing = set(events.EVENTS) - set(event_registry().types())
    assert not missing, f"add domain/{context}/events.py to domain/registry.py"


def test_registering_is_repeatable():
    assert event_registry().types() == event_registry().types()
