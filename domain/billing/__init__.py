"""What usage costs the tenant: plans, credits, invoices, and what the payment system says about them."""
