"""The two wire dialects, held against golden examples, properties and the official SDKs."""
