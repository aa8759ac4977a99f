"""What terminals do: facts that the prompt and the other screens rely on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

BEGIN_UPDATE, END_UPDATE = "\x1b[?2026h", "\x1b[?2026l"
"""What is between them is shown at once, where the terminal can (others ignore them)."""


def reflows(env: Mapping[str, str]) -> bool:
    """Return whether a narrower window breaks the lines that are there (it does, but for few).

    xterm, the Linux console and GNU screen cut them off instead.
    """
    if "TMUX" in env:
        return True
    return not ("XTERM_VERSION" in env or "STY" in env or env.get("TERM") == "linux")


def has_a_terminal() -> bool:
    """Return whether a full screen can be drawn, and keys be read."""
    is_dumb = os.environ.get("TERM", "dumb") in ("dumb", "")
    return sys.stdin.isatty() and sys.stdout.isatty() and not is_dumb


def rows_of(width: int, columns: int) -> int:
    """Return how many rows a line of `width` cells takes once it was broken at `columns`."""
    return max(1, -(-width // columns))
