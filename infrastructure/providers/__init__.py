"""Model providers: the adapter that speaks HTTP to them, where it may connect, what ships built in."""
