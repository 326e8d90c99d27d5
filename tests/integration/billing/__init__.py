"""Billing through the whole product."""
