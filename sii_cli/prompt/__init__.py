"""The interactive prompt: an input line that stays live while a session works above it."""
