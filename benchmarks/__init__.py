"""Measures: each module prints what one claim of the README costs on this machine."""
