"""Replays: the timeline, and exports as a web page and as a cast."""
