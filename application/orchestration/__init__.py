"""Orchestration: which model answers a request, and how the attempts at it go."""
