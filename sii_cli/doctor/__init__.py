"""Checks of the machine, the sandbox and the model server."""
