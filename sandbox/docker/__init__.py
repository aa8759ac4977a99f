"""Sandboxes made by Docker."""
