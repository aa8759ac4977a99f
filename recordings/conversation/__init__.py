"""What was said: messages and token ids rebuilt from events."""
