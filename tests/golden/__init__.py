"""Golden files: one per event type and schema version, which every later version of the product can read."""
