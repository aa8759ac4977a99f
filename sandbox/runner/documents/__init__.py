"""Reads documents as text, inside the sandbox: a hostile file meets no program of the host.

Each call is a process of its own that limits itself. A format is a module with
`read(path, request)` and a line in `main.py`. Libraries are those of the image's own Python.
"""
