"""Escaping foreign text for Markdown: it stays text."""

from __future__ import annotations

import re

_MARKUP = re.compile(
    r"[\\`*\[\]|~]"  # escapes, code, emphasis, links, cells
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis, but not within a word
    r"|:(?=//)|(?<=www)\.",  # bare addresses, which become links
    re.IGNORECASE,
)


def escape_markdown(line: str) -> str:
    """Return a line that Markdown shows as it is, in a paragraph, a heading or a table's cell."""
    escaped = _MARKUP.sub(r"\\\g<0>", line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
