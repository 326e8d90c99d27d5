"""Tests of the read models of workflows and health."""
