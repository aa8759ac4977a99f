"""Long pastes: folded into a placeholder on the input line, sent whole."""

from __future__ import annotations

import re

FOLD_OVER = 15
"""Lines from which on a paste is folded."""
FOLD_LONGER = 10_000
"""Characters above which it is folded, too: a line of a million takes seconds to draw."""
_INVALID = re.compile("[\ud800-\udfff]")
"""What stands for a byte that is not UTF-8."""
PLACEHOLDER = re.compile(r"\[paste (\d{1,9}): [\d,]+ (?:lines|characters)\]")


def without_invalid(text: str) -> tuple[str, int]:
    """Return a text with a sign in place of each byte that is not UTF-8, and how many there are."""
    return _INVALID.subn("\N{REPLACEMENT CHARACTER}", text)


def invalid_words(count: int) -> str:
    """Return a sentence on bytes that were replaced."""
    if count == 1:
        return "One byte of this is not text (UTF-8): � stands for it."
    return f"{count:,} bytes of this are not text (UTF-8): � stands for each."


class Pastes:
    """The pastes of one prompt."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def fold(self, text: str) -> str:
        """Return what to put on the input line for a paste."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + (not text.endswith("\n"))
        if lines <= FOLD_OVER and len(text) <= FOLD_LONGER:
            return text
        self._texts.append(text)
        size = f"{lines:,} lines" if lines > FOLD_OVER else f"{len(text):,} characters"
        return f"[paste {len(self._texts)}: {size}]"

    def expand(self, text: str) -> str:
        """Return the text with the pastes in place of their placeholders."""
        return PLACEHOLDER.sub(self._text, text)

    def _text(self, match: re.Match[str]) -> str:
        number = int(match[1])
        return self._texts[number - 1] if 0 < number <= len(self._texts) else match[0]


def attaches(text: str) -> bool:
    """Return whether a message may attach files (`@@path`)."""
    return text.startswith("@@") or " @@" in text or "\n@@" in text
