"""What the product does by itself, on a schedule: workflows, when they are due, and their runs."""
