"""Messages and token ids of a session, rebuilt from its events."""
