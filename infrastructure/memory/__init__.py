"""Memory put together: search, duplicates, extraction, the hosted mirror."""
