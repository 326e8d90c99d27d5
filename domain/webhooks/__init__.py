"""Webhooks: events that a tenant is told of at addresses of its own."""
