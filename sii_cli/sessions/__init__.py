"""Recorded sessions at the terminal: the list from which one is chosen to be resumed."""
