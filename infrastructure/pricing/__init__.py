"""The price book: list prices of public models from the `genai-prices` package, in a compact form."""
