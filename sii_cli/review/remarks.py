"""What a reviewer types at a step: comments, flags, exclusions."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recordings.reviews.review import Mark, StepReview

HELP = """\
At each step:
  Enter         the next step
  b             the step before
  g SEQ         the step with that event
  e             the end, where the verdict is given
  c WORDS       comment
  f FLAG        flag: wrong, wasteful, unsafe, wrong_observation, unclear, star;
                or mark the step: good, neutral, bad
  x             exclude the step from training; again: take it back
  s WORDS       it went wrong here: send the session back with your words
  .             later: go to the next recording; what was said is kept, without a verdict
  q, Ctrl-C     stop; what was said is kept, without a verdict
  @SEQ after the letter: about that event of the step (f @21 wrong_observation)
At the end:
  a, r, w       approve, reject, needs work
  Enter         no verdict; after s it sends the session back
  b, ., q       as above"""

_MARKS: dict[str, Mark] = {"good": "good", "neutral": "neutral", "bad": "bad"}
_LONGEST_GAP = 180.0
"""Seconds between two answers that count as work; more is a break."""
_COMMAND = re.compile(r"(?P<word>[cfxs])(?:\s+@(?P<seq>\d{1,9}))?(?:\s+(?P<text>.+))?")


class ReviewStopped(Exception):
    """Raised when the reviewer stops."""


class Skip(Exception):
    """Raised when the reviewer skips to the next recording."""


class Questions:
    """Asks a reviewer for lines, and counts the time that the reviewer spends."""

    def __init__(self, keep: Callable[[], None] = lambda: None) -> None:
        """`keep` is called before each question: it keeps what was said so far."""
        self.seconds = 0.0
        """Between the answers; a longer gap counts as `_LONGEST_GAP`."""
        self.keep = keep
        self._last = time.monotonic()

    def ask(self, question: str) -> str:
        """Ask for a line until it is one that a review can hold.

        Raises `ReviewStopped` at the end of the input.
        """
        self.keep()
        while (problem := _unkeepable(line := self._line(question))) is not None:
            click.echo(problem, err=True)
        return line

    def _line(self, question: str) -> str:
        from sii_cli.text.sanitise import sanitise

        click.echo(sanitise(question), nl=False, err=True)
        try:
            # As bytes: no byte that is not text ends the review.
            line = sys.stdin.buffer.readline().decode(sys.stdin.encoding, "surrogateescape")
        finally:
            now = time.monotonic()
            self.seconds += min(now - self._last, _LONGEST_GAP)
            self._last = now
        if not line:
            raise ReviewStopped
        return line.strip()


def _unkeepable(line: str) -> str | None:
    """Return a sentence that says why a review cannot hold a line, or `None` where it can."""
    from recordings.reviews.review import LONGEST_TEXT

    if len(line) > LONGEST_TEXT:
        return f"This has more than {LONGEST_TEXT:,} characters: say it in fewer."
    try:
        line.encode()
    except UnicodeEncodeError:
        return "This is not text in UTF-8: type it again."
    return None


@dataclass(slots=True)
class _Said:
    comments: list[str] = field(default_factory=list)
    mark: Mark | None = None
    flags: tuple[str, ...] = ()
    exclude: bool | None = None

    def after(self, before: _Said) -> list[str]:
        """Return the mark and the flags in force, with what was said before."""
        mark = self.mark or before.mark
        return [*([mark] if mark else []), *(self.flags or before.flags)]


class StepRemarks:
    """The remarks on steps so far, of now and of the reviewer's earlier reviews."""

    def __init__(
        self, earlier: Iterable[StepReview] = (), drafted: Iterable[StepReview] = ()
    ) -> None:
        """`drafted`: what was said now, before a pause."""
        self.sent_back = ""
        """The words with which a step is sent back."""
        self._earlier: dict[int, _Said] = {}
        self._said = {
            step.seq: _Said(
                [step.comment] if step.comment else [], step.mark, step.flags, step.exclude
            )
            for step in drafted
        }
        for step in earlier:
            said = self._earlier.setdefault(step.seq, _Said())
            said.comments += [step.comment] if step.comment else []
            said.mark = step.mark or said.mark
            said.flags = step.flags or said.flags
            said.exclude = said.exclude if step.exclude is None else step.exclude

    def __bool__(self) -> bool:
        """Whether there is a remark of now."""
        return bool(self._said)

    def add(self, line: str, about: int, events: range) -> None:
        """Add what a line says about an event or another of its step, and confirm it."""
        match = _COMMAND.fullmatch(line)
        if match is None or (match["text"] is None) is (match["word"] != "x"):
            click.echo(HELP, err=True)
            return
        seq = about if match["seq"] is None else int(match["seq"])
        if seq not in events:
            click.echo(f"This step is of events {events[0]} to {events[-1]}.", err=True)
            return
        if problem := self._too_long(match["word"], match["text"] or "", seq):
            click.echo(problem, err=True)
            return
        done = self._add(match["word"], match["text"] or "", seq)
        click.echo(f"event {seq}: {done}", err=True)

    def about(self, events: range) -> list[str]:
        """Return a line for each of these events that has remarks."""
        from sii_cli.text.sanitise import one_line

        lines = []
        for seq in sorted({*self._earlier, *self._said}):
            if seq not in events:
                continue
            before, now = self._earlier.get(seq, _Said()), self._said.get(seq, _Said())
            words = now.after(before)
            words += ["excluded from training"] if self._excluded(seq) else []
            words += before.comments + now.comments
            if words:
                lines.append(f"event {seq}: {one_line(' · '.join(words), 1000)}")
        return lines

    def reviews(self) -> list[StepReview]:
        """Return the remarks of now, to be kept."""
        from recordings.reviews.review import StepReview

        return [
            StepReview(
                seq=seq,
                comment="\n".join(said.comments),
                mark=said.mark,
                flags=said.flags,
                exclude=said.exclude,
            )
            for seq, said in sorted(self._said.items())
        ]

    def _excluded(self, seq: int) -> bool:
        now, before = self._said.get(seq), self._earlier.get(seq)
        if now is not None and now.exclude is not None:
            return now.exclude
        return before is not None and bool(before.exclude)

    def _too_long(self, word: str, text: str, seq: int) -> str | None:
        from recordings.reviews.protocol import LONGEST_NAME
        from recordings.reviews.review import LONGEST_TEXT

        if word == "f" and len(text) > LONGEST_NAME:
            return f"A flag has at most {LONGEST_NAME} characters: comment with c."
        comments = self._said[seq].comments if seq in self._said else []
        if word in "cs" and len("\n".join([*comments, text])) > LONGEST_TEXT:
            return f"The comments on an event have at most {LONGEST_TEXT:,} characters."
        return None

    def _add(self, word: str, text: str, seq: int) -> str:
        """Add one remark; return what was done."""
        excluded = self._excluded(seq)
        said = self._said.setdefault(seq, _Said())
        match word:
            case "c":
                said.comments.append(text)
                return "commented"
            case "f":
                return _take_flag(said, text.lower().replace(" ", "_"))
            case "s":
                said.comments.append(text)
                said.flags, self.sent_back = ("wrong",), text
                return "it went wrong here: Enter at the end sends the session back"
            case _:
                said.exclude = not excluded
                return "excluded from training" if said.exclude else "not excluded"


def _take_flag(said: _Said, word: str) -> str:
    """Take a flag or a mark; return what was done."""
    from recordings.reviews.review import FLAGS

    if mark := _MARKS.get(word):
        said.mark = mark
        return f"marked {mark}"
    said.flags = (word,)
    return f"flagged {word}" if word in FLAGS else f"{word}, a flag of your own"
