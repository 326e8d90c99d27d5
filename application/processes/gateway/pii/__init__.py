"""Scrubs prompts and answers of the gateway, when a workspace's policy says so."""
