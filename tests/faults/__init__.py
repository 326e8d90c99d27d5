"""Faults: real processes killed for real."""
