"""Makes the log evident: leaf hashes, the hash chain and what verification reports."""
