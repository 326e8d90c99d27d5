"""Use cases, on in-memory stores and fakes."""
