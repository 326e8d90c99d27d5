"""Tenancy: who may use the product, as which tenant, in which roles."""
