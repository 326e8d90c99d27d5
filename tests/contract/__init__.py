"""One contract test per port, run against the real adapter and its in-memory twin alike."""
