"""Speaks the two wire dialects of model providers: reads requests, translates both ways, follows streams."""
