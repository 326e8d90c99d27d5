"""Measurements with their comparison in the same run; `make bench` writes RESULTS.md."""
