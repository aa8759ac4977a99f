"""Data sets of a home: folders and files that sandboxes see read-only, and never copy."""
