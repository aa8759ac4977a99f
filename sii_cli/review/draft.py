"""The draft of a review: what a reviewer has said of a recording so far, and has not sent."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from recordings.events import EventPart
from recordings.reviews.approval import Verdict
from recordings.reviews.review import (
    LONGEST_TEXT,
    Coverage,
    Mark,
    RubricAnswer,
    Said,
    StepReview,
    Text,
)
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item

_LONGEST_GAP = 180.0
"""Seconds between two keys that count as work; more is a break."""


class TypedText(EventPart):
    """A text that is being typed."""

    purpose: str
    text: Text = ""


class ReviewDraft(EventPart):
    """A draft never changes: each key makes another one, and the ones before can be restored."""

    verdict: Verdict | None = None
    """The armed verdict."""
    note: Text = ""
    rubric: dict[str, RubricAnswer] = Field({})
    steps: dict[int, StepReview] = Field({})
    """What was said of events."""
    seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    """Time spent, without breaks."""
    opened: frozenset[int] = frozenset()
    """Entries of the outline that were shown."""
    folds: frozenset[int] = frozenset()
    """Events whose folded output was opened."""
    place: int = -1
    """The entry that was shown last; -1 is the first screen."""
    typed: TypedText | None = None

    @property
    def says_something(self) -> bool:
        """Whether there is anything to keep, a verdict or not."""
        return bool(self.verdict or self.note or self.rubric or self.steps)

    def with_step(self, seq: int, **changes: Any) -> Self:
        """Return the draft with something else said of an event; said nothing, it is not kept."""
        said = self.steps.get(seq, StepReview(seq=seq)).model_copy(update=changes)
        steps = self.steps | {seq: said}
        if said == StepReview(seq=seq):
            del steps[seq]
        return self.model_copy(update={"steps": steps})

    def with_comment(self, seq: int, text: str) -> Self | None:
        """Return the draft with one more comment on an event, or `None` where it is too long."""
        before = self.steps[seq].comment if seq in self.steps else ""
        comment = f"{before}\n{text}" if before else text
        return self.with_step(seq, comment=comment) if len(comment) <= LONGEST_TEXT else None

    def with_mark(self, seq: int, mark: Mark) -> Self:
        """Return the draft with an event marked; the same mark again takes it back."""
        has = seq in self.steps and self.steps[seq].mark == mark
        return self.with_step(seq, mark=None if has else mark)

    def with_flag(self, seq: int, flag: str) -> Self:
        """Return the draft with an event flagged; the same flag again takes it back."""
        flags = self.steps[seq].flags if seq in self.steps else ()
        others = tuple(one for one in flags if one != flag)
        return self.with_step(seq, flags=others if flag in flags else (*flags, flag))

    def with_answer(self, question: str, answer: RubricAnswer) -> Self:
        """Return the draft with a question answered."""
        return self.model_copy(update={"rubric": self.rubric | {question: answer}})

    def after(self, seconds: float) -> Self:
        """Return the draft after so many seconds; a long gap counts as `_LONGEST_GAP`."""
        return self.model_copy(update={"seconds": self.seconds + min(seconds, _LONGEST_GAP)})

    def coverage(self, entries: range, floor: float) -> Coverage:
        """Return how much of these entries was opened."""
        return Coverage(
            steps=sum(one in entries for one in self.opened),
            of_steps=len(entries),
            folds=len(self.folds),
            floor=floor or None,
        )

    def said(self, coverage: Coverage | None, *, blind: bool) -> Said:
        """Return what a review keeps of it."""
        return Said(
            verdict=self.verdict,
            note=self.note,
            rubric=self.rubric,
            steps=[self.steps[seq] for seq in sorted(self.steps)],
            seconds=round(self.seconds, 3),
            blind=blind,
            coverage=coverage,
        )


def load_draft(drafts: Drafts, item: Item, sha256: str) -> ReviewDraft | None:
    """Return the draft of an item, or `None` where there is none for this content.

    Raises `RecordingDamaged`, also for one that another version of sii has kept.
    """
    kept = drafts.load(item, sha256)
    try:
        return None if kept is None else ReviewDraft.model_validate(kept)
    except ValidationError:
        raise drafts.damaged(item) from None
