"""Read models: from events to rows, the runner, rebuilds, usage."""
