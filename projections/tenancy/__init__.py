"""Read models of tenancy: lists of tenants and keys, and the directory that authenticates requests."""
