"""The event store: gapless positions in commit order, group commit, sealed personal fields, a hash chain."""
