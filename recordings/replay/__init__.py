"""Replays: the timeline, a cast, a page."""
