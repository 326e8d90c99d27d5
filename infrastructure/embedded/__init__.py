"""Runs the services the product brings along (PostgreSQL, Valkey, a language model) without an installer."""
