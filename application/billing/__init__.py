"""Use cases of billing: publish plans, subscribe, grant credit, preview and close periods."""
