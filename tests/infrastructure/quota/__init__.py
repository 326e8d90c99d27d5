"""Quotas on a real PostgreSQL."""
