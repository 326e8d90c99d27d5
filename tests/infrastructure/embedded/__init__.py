"""The embedded services, as real processes."""
