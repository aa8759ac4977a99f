"""Words of models, servers and other people in Markdown: they stay words."""

from __future__ import annotations

import re

_MARKUP = re.compile(
    r"[\\`*\[\]|~]"  # escapes, code, emphasis, links, cells
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis; within a word it is none
    r"|:(?=//)|(?<=www)\.",  # bare addresses, which become links
    re.IGNORECASE,
)


def escape_markdown(line: str) -> str:
    """Return a line that says what it said, as text of a paragraph, a heading or a table's cell."""
    escaped = _MARKUP.sub(r"\\\g<0>", line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
