"""Read models of webhooks: the endpoints, and what was delivered to them."""
