"""The words and the measures of a review's screen: verdicts, marks, what a text is typed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from recordings.storage.line_index import CALL, ERROR, USER

if TYPE_CHECKING:
    from recordings.reviews.approval import Verdict
    from recordings.reviews.review import Mark

OUTLINE = 30
"""Columns of the outline."""
NARROW = 72
"""Columns below which the outline is shown instead of the item, not beside it."""
FIRST = -1
"""Number of the first screen, which is above the entries of the outline."""
Ending = Literal["sent", "later", "left"]
"""How the review of a recording ended: `later`, it goes to the end of the queue; `left`, the
reviewer stops."""
Purpose = Literal["comment", "note", "why", "send back", "answer"]
JUMPS = {"u": USER, "e": ERROR, "c": CALL}
NAMES = {USER: "message of the user", ERROR: "error", CALL: "call"}
VERDICTS: dict[Verdict, str] = {
    "approve": "✓ approve",
    "reject": "✗ reject",
    "needs_work": "~ needs work",
}
MARKED: dict[int, Mark] = {7: "good", 8: "neutral", 9: "bad"}
"""Digits that mark a step, after those that flag it."""
QUESTIONS: dict[Purpose, str] = {
    "comment": "comment ›",
    "note": "note on the whole ›",
    "why": "why? ›",
    "send back": "what is wrong here? ›",
    "answer": "answer ›",
}
