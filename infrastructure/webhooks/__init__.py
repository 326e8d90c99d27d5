"""Webhooks over HTTP: the sender, and the jobs that announce and deliver."""
