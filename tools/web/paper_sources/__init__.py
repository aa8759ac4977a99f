"""Catalogues of papers, one a module; `registry.py` lists them."""
