"""Orchestration: which model answers a request, by which policy, and what to do when it fails."""
