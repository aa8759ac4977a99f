"""Forks: a session that begins from a moment of another, edited or not."""
