"""Reactions across contexts."""
