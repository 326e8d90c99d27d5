"""The product's processes other than the API, and what operators do by hand."""
