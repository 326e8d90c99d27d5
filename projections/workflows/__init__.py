"""Read models of workflows: their settings and their runs."""
