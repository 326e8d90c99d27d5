"""Finds personal data in texts and takes it out: candidates by linear patterns, then validators and context.

Texts are read as code points. Every decision looks at most `LEFT` characters before and `RIGHT` characters
after a candidate (see `segments`), so a stream can be scrubbed with a bounded hold-back and the same result.
"""
