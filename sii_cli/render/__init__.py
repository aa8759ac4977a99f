"""Rendering: what happens in a session, as lines of a terminal."""
