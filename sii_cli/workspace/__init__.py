"""The workspace beside the model: snapshots, undo, notes."""
