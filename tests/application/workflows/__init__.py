"""Tests of the use cases of workflows."""
