"""Read models of billing: metered usage, plans, credits, invoices, and differences found."""
