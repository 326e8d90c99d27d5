"""Erasure: takes a selection of personal data out of every store that holds or derives it, with proof."""
