"""The gateway's pipeline."""
