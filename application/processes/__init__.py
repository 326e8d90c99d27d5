"""What crosses contexts: reactions and processes that need more than one of them."""
