"""Usage: what requests consumed, and what that costs."""
