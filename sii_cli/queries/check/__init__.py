"""The check of a query: a command in a fresh sandbox that decides whether it is solved."""
