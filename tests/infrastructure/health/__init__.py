"""Tests of the health exchange, on a real Valkey."""
