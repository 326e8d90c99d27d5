"""Read models of memories: their texts, their vectors, their policies."""
