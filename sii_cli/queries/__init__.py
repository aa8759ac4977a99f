"""Queries: tasks as data, and the files they come from."""
