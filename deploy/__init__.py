"""What runs around the product: set-up, checks, lock files."""
