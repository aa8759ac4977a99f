"""The plan of a batch: what is to be run, what was allowed, and where that is pinned."""
