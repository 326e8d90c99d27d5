"""Health of targets between processes: what each saw goes to all, and leases of half-open targets."""
