"""Search services, one a module; `registry.py` lists them."""
