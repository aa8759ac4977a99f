"""HTTP to a model server."""
