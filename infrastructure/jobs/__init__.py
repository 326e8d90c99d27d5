"""Background work: jobs enqueued from the log, performed once, and the scheduler that ticks them."""
