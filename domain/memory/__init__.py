"""Memory: what the product remembers about people, scrubbed before it is stored and erased with proof."""
