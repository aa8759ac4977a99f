"""Writes the pages of `docs/reference` that say what the code says: `python -m scripts.reference`.

Each module writes the pages of one subject and has a function `pages`: path below
`docs/reference` → Markdown.
"""
