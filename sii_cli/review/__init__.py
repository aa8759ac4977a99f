"""Reviewing recordings in the terminal."""
