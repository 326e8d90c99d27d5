"""Where personal data is kept, and how it is taken out of there: stores, keys, ledger, signature."""
