"""Hard caps without a look at the database: exact counters, escrow slices, admission from memory."""
