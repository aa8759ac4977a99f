"""The results of a batch: the report, its rates, and the sessions chosen for review."""
