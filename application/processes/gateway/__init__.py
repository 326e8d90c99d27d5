"""One gateway request: decide where it goes, try the targets in order, answer, and record what it used."""
