"""Does: the use cases and the ports they need; a handler is load, decide, save."""
