"""The words after `/done`."""

from __future__ import annotations

import re

_DONE = re.compile(r"(?:(?P<no>no)(?=[\s,.:;!]|\Z)[\s,.:;!]*)?(?P<words>.*)", re.DOTALL | re.I)


def parse_done(words: str) -> tuple[bool, str]:
    """Return whether `/done` with these words says that the task is done, and the other words."""
    match = _DONE.fullmatch(words.strip())
    assert match is not None
    return match["no"] is None, match["words"]
