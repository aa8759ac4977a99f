"""One session: its recording, its sandbox, its loop."""
