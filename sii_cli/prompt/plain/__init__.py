"""The prompt line by line: for screen readers, and for terminals that cannot draw."""
