"""Exporting samples to files that trainers read: one module a target, and what they share."""
