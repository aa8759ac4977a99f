"""The commands: one module each, imported when it is used. Each has its click command `command`."""
