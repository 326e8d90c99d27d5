"""What every bounded context shares: events, aggregates, errors, values and the marks of personal data."""
