"""Text of others, made safe to show."""
