"""The budget of a context: what is used, the room for an answer, and when it is full."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER = 16384
"""Tokens kept free for one answer, in a context that is long enough."""
ANSWER_SHARE = 4
"""At most one of this many parts of the context is kept for an answer."""
MARGIN = 16
"""Tokens by which a count may be wrong."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a context is."""

    used: int
    length: int | None
    exact: bool

    def __str__(self) -> str:
        about = "" if self.exact else "about "
        if not self.length:
            return f"{about}{self.used:,} tokens"
        share = 100 * self.used // self.length
        return f"{about}{self.used:,} of {self.length:,} tokens ({share} %)"


@dataclass(frozen=True, slots=True)
class ContextBudget:
    """The context of one model, for one session."""

    length: int | None
    """Tokens that the context has; `None` means not known, and nothing is limited here."""
    asked: int | None = None
    """The most tokens of an answer, as set by the user."""

    @property
    def answer(self) -> int:
        """Tokens that must be free for an answer."""
        if self.length is None:
            return 0
        return min(self.asked or ANSWER, self.length // ANSWER_SHARE)

    def left(self, used: int) -> int | None:
        """Return the tokens that are free, or `None` when the length is not known."""
        return None if self.length is None else max(0, self.length - used - MARGIN)

    def is_full(self, used: int) -> bool:
        """Return whether the room for an answer is used up."""
        left = self.left(used)
        return left is not None and left < self.answer

    def max_tokens(self, used: int) -> int | None:
        """Return the most tokens of the next answer; `None` means that the server decides."""
        left = self.left(used)
        if left is None:
            return self.asked
        return max(1, min(left, self.asked or left))


def context_length(setting: int | None, served: int | None, profile: int | None) -> int | None:
    """Return the length of a context: as set (at most as served), served, or in the profile."""
    if setting is not None and served is not None:
        return min(setting, served)
    return setting or served or profile


UNLIMITED = ContextBudget(None)
