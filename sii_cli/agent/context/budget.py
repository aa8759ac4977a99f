"""How the context is shared out: what is taken, the room for an answer, when it is full."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER = 16384
"""Tokens kept free for one answer, in a context that is long enough."""
ANSWER_SHARE = 4
"""No more than one of so many parts of the context is kept for an answer."""
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
    """Tokens that the model can hold; none: not known, and nothing is limited here."""
    asked: int | None = None
    """The most tokens of an answer that the user allows."""

    @property
    def answer(self) -> int:
        """Tokens that must be free for an answer."""
        if self.length is None:
            return 0
        return min(self.asked or ANSWER, self.length // ANSWER_SHARE)

    def left(self, used: int) -> int | None:
        """Return the tokens that are free; none when the length is not known."""
        return None if self.length is None else max(0, self.length - used - MARGIN)

    def is_full(self, used: int) -> bool:
        """Tell whether the room for an answer is taken."""
        left = self.left(used)
        return left is not None and left < self.answer

    def max_tokens(self, used: int) -> int | None:
        """Return the most tokens that the next answer may have; none: the server decides."""
        left = self.left(used)
        if left is None:
            return self.asked
        return max(1, min(left, self.asked or left))


def context_length(setting: int | None, served: int | None, profile: int | None) -> int | None:
    """Return the context's length: as set (no more than is served), as served, as it is known."""
    if setting is not None and served is not None:
        return min(setting, served)
    return setting or served or profile


UNLIMITED = ContextBudget(None)
