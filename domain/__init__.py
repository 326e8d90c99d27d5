"""Decides: aggregates, events and policies as pure functions, free of I/O, clock and randomness."""
