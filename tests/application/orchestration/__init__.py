"""Orchestration use cases and the wire dialects."""
