"""Tenancy: founding tenants, making and revoking API keys."""
