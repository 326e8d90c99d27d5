"""Tests of background work on real servers."""
