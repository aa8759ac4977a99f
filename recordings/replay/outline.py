"""The outline of a recording: its messages, steps, checks and compactions, in order.

Of the events only their places are held, so that a long recording costs little.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Literal, NamedTuple

from recordings.events import Check, ModelResponse, Snapshot
from recordings.storage.line_index import APART, EDIT, ERROR, SAID, STEP, USER, LineIndex

EntryKind = Literal["message", "step", "check", "compaction"]


class OutlineEntry(NamedTuple):
    """A message of the user's, a step of the model's with what its calls returned, or another."""

    kind: EntryKind
    events: range
    about: int
    """The event that words about the entry are about: what was said in it."""
    round: int
    """From 1; 0 before the first message."""
    step: int
    """Number of the step; 0 for another kind."""
    failed: bool
    """A call, a check or a request in it failed."""
    edits: bool
    """It changed files of the workspace."""


class Outline:
    """The entries of a whole recording."""

    def __init__(self, index: LineIndex) -> None:
        """Raises `RecordingDamaged`, `RecordingTooNew`. The index is complete."""
        self.index = index
        self._firsts, self._abouts = array("Q"), array("Q")
        self._rounds, self._steps = array("Q"), array("Q")
        for first, about in _find_entries(index.marks):
            self._firsts.append(first)
            self._abouts.append(about)
            self._count(index.marks[about])
        self._changes: dict[int, list[int]] = {}
        """By entry, the places of its snapshots among those of the index."""
        self._edits = {self.with_event(seq) for seq, mark in enumerate(index.marks) if mark & EDIT}
        self._find_changes()

    def __len__(self) -> int:
        return len(self._firsts)

    def __getitem__(self, number: int) -> OutlineEntry:
        end = self._firsts[number + 1] if number + 1 < len(self) else len(self.index)
        events, about = range(self._firsts[number], end), self._abouts[number]
        marks = self.index.marks
        kind: EntryKind = "message" if marks[about] & USER else "step"
        if marks[about] & APART:
            kind = "check" if isinstance(self.index.event(about).data, Check) else "compaction"
        failed = any(marks[seq] & ERROR for seq in events)
        step = self._steps[number] if kind == "step" else 0
        edits = number in self._edits or number in self._changes
        return OutlineEntry(kind, events, about, self._rounds[number], step, failed, edits)

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return self._rounds[-1] if len(self) else 0

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return self._steps[-1] if len(self) else 0

    def with_event(self, seq: int) -> int | None:
        """Return the number of the entry with an event, or `None` where there is no such event."""
        return max(0, bisect_right(self._firsts, seq) - 1) if seq < len(self.index) else None

    def find_round(self, number: int, *, back: bool = False) -> int | None:
        """Return the first entry of the next round after an entry, or of the round before."""
        numbers = range(number - 1, -1, -1) if back else range(number + 1, len(self))
        marks, abouts = self.index.marks, self._abouts
        return next((one for one in numbers if marks[abouts[one]] & USER), None)

    def changes(self, number: int) -> Iterator[Snapshot]:
        """Yield the snapshots of what an entry changed in the workspace."""
        return map(self._snapshot, self._changes.get(number, ()))

    @property
    def trees(self) -> tuple[str, str] | None:
        """The workspace's first and last tree, or `None` without snapshots."""
        last = len(self.index.snapshots) - 1
        return None if last < 0 else (self._snapshot(0).tree, self._snapshot(last).tree)

    def trees_since(self, seq: int) -> tuple[str, str] | None:
        """Return the tree before an event and the last one, or `None` without snapshots."""
        if self.trees is None:
            return None
        place = max(0, bisect_left(self.index.snapshots, seq) - 1)
        return self._snapshot(place).tree, self.trees[1]

    def trees_of(self, number: int) -> tuple[str, str] | None:
        """Return the trees before and after an entry, or `None` where it changed nothing."""
        place = next((one for one in self._changes.get(number, ()) if one), None)
        if place is None:
            return None
        return self._snapshot(place - 1).tree, self._snapshot(place).tree

    def _count(self, mark: int) -> None:
        rounds, steps = (self._rounds[-1], self._steps[-1]) if self._rounds else (0, 0)
        self._rounds.append(rounds + bool(mark & USER))
        self._steps.append(steps + bool(mark & SAID and not mark & USER))

    def _find_changes(self) -> None:
        """Find which entry each snapshot is of: it may come after the next step has begun."""
        for place, seq in enumerate(self.index.snapshots):
            data, number = self._snapshot(place), self.with_event(seq) or 0
            if data.cause != "step" or not data.changes:
                continue
            said = self.index.event(self._abouts[number]).data
            if isinstance(said, ModelResponse) and said.step > data.step and number:
                number -= 1
            self._changes.setdefault(number, []).append(place)

    def _snapshot(self, place: int) -> Snapshot:
        """Read a snapshot; they are not held, because what one lists may be long."""
        data = self.index.event(self.index.snapshots[place]).data
        assert isinstance(data, Snapshot)
        return data


def _find_entries(marks: bytearray) -> Iterator[tuple[int, int]]:
    """Yield (first event, event that words are about) of each entry.

    What comes before the first words is of the first entry, what nobody answered of the last.
    """
    first = about = 0
    begins: int | None = None
    spoken = False
    for number, mark in enumerate(marks):
        if mark & APART and spoken:
            yield first, about
            first = about = number
            begins = None
            continue
        if mark & STEP and spoken and begins is None:
            begins = number
        if not mark & SAID:
            continue
        if spoken:
            yield first, about
            first = number if begins is None else begins
        about, begins, spoken = number, None, True
    yield first, about
