"""Model families: how each writes reasoning and calls as text."""
