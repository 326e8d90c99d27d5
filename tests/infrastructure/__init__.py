"""Adapters, each against the real thing it adapts."""
