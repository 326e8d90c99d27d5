"""Tests of the rules of workflows."""
