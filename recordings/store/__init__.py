"""All recordings of a home: the store, lists, and what recordings refer to."""
