"""The workspace of a session: snapshots, undo, and messages about changes."""
