"""Remembers: read models folded from the event log, rebuilt at will, never a source of truth."""
