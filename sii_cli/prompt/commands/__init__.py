"""The commands at the prompt, one module a group."""
