"""Peers for tests: local servers that speak a vendor's protocol, and in-memory twins of ports."""
