"""Read models of usage: every gateway request, and sums by hour and day."""
