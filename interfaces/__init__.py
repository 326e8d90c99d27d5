"""Thin edges of the product: HTTP, console and command line; only `composition` knows infrastructure."""
