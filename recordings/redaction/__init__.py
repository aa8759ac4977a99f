"""Secrets: found, kept out, taken out."""
