"""Billing on a real log, real read models and, for payments, a server that speaks Stripe."""
