"""Services that answer questions in JSON or XML: one way to ask, with a shared cache and pace."""
