"""How Sphinx builds the site: `make docs`."""

import importlib.metadata

project = "sii"
author = "The sii authors"
copyright = "The sii authors"  # noqa: A001 (the name that Sphinx reads)
version = release = importlib.metadata.version("sii-cli")

extensions = ["myst_parser"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = "sii"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
highlight_language = "text"
