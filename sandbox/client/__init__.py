"""The side of the sandbox that is in sii: calls over the runner's stream."""
