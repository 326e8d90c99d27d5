"""Billing's ties to the world: counted usage, and the payment system."""
