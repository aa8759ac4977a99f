"""The first screen of a recording that is reviewed: its task, its end, and where to look first.

The terminal, the inbox and the page show the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from recordings.events import (
    Check,
    Compaction,
    FileChange,
    ModelResponse,
    SessionStart,
    UserMessage,
)
from recordings.evidence.evidence import read_evidence
from recordings.replay.outline import Outline
from recordings.storage.line_index import APART, SAID, USER
from recordings.store.checks import LastCheck
from recordings.store.summary import RecordingSummary, summarise

MOST_FILES = 10_000
"""Changed files of a recording that are shown."""
_MOST_PLACES = 50
_TEST = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__)/|(?:^|/)(?:test_[^/]*|conftest\.py)$"
    r"|(?:_test|_spec|\.test|\.spec)\.[A-Za-z0-9]{1,5}$",
    re.IGNORECASE,
)

PlaceKind = Literal["test_changed", "history_summarised", "never_opened", "no_source"]
PLACES: dict[PlaceKind, str] = {
    "test_changed": "a test was changed",
    "history_summarised": "a summary replaced the history",
    "never_opened": "it cites what was never opened",
    "no_source": "it claims what has no source",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A place that a reviewer should look at, whatever the check says."""

    kind: PlaceKind
    seq: int
    """The event."""
    what: str
    """A path, or a claim of an answer or a report."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file of the workspace that the session changed, over all its steps."""

    change: FileChange
    entries: tuple[int, ...]
    """The entries of the outline that changed it."""


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """What a reviewer reads first. Every text is as it was recorded: it is never trusted."""

    summary: RecordingSummary
    """The outcome and its reason, rounds, steps, times."""
    task: str
    """The first message, whole."""
    rubric: str
    """What the query asks a reviewer to check."""
    answer: str
    """The last response without calls, or an empty text."""
    answered: int | None
    """The event of the answer."""
    check: LastCheck | None
    files: tuple[ChangedFile, ...]
    trees: tuple[str, str] | None
    """The first and the last snapshot, or `None` without snapshots."""
    tokens: int | None
    """Length of the trajectory: the prompt and the response of the last model call."""
    places: tuple[Place, ...]

    def without_check(self) -> FirstScreen:
        """Return it for a reviewer who does not see the check before the own verdict."""
        return replace(
            self, check=None, summary=replace(self.summary, outcome=None, score=None, reason="")
        )


def read_first_screen(folder: Path, outline: Outline) -> FirstScreen:
    """Read the first screen. Raises `RecordingDamaged`, `RecordingTooNew`."""
    index = outline.index
    start = index.event(0).data
    said = index.find(USER, 0)
    message = None if said is None else index.event(said).data
    answered, answer = _answer(outline)
    last = _last_response(outline)
    usage = last.usage if last is not None else None
    files = tuple(changed_files(outline))
    return FirstScreen(
        summary=summarise(folder),
        task=message.text if isinstance(message, UserMessage) else "",
        rubric=(start.rubric or "") if isinstance(start, SessionStart) else "",
        answer=answer,
        answered=answered,
        check=_check(outline),
        files=files,
        trees=outline.trees,
        tokens=None if usage is None else usage.prompt_tokens + usage.completion_tokens,
        places=tuple(_places(folder, outline, files)),
    )


def is_test(path: str) -> bool:
    """Return whether a path is that of a test, by its name."""
    return _TEST.search(path) is not None


def _responses(outline: Outline) -> Iterator[tuple[int, ModelResponse]]:
    """Yield the responses, the last one first."""
    seq = outline.index.find(SAID, len(outline.index) - 1, back=True)
    while seq is not None:
        data = outline.index.event(seq).data
        if isinstance(data, ModelResponse):
            yield seq, data
        seq = outline.index.find(SAID, seq - 1, back=True) if seq else None


def _last_response(outline: Outline) -> ModelResponse | None:
    return next((data for _, data in _responses(outline)), None)


def _answer(outline: Outline) -> tuple[int | None, str]:
    for seq, data in _responses(outline):
        if not data.calls:
            return seq, data.content or ""
    return None, ""


def _check(outline: Outline) -> LastCheck | None:
    index = outline.index
    seq = index.find(APART, len(index) - 1, back=True)
    while seq is not None:
        data = index.event(seq).data
        if isinstance(data, Check):
            return LastCheck.of(data.model_dump())
        seq = index.find(APART, seq - 1, back=True) if seq else None
    return None


def changed_files(outline: Outline, begins: int = 0) -> Iterator[ChangedFile]:
    """Yield each path that an entry from `begins` on changed, with the sums of its changes."""
    found: dict[str, tuple[FileChange, list[int]]] = {}
    for number in range(begins, len(outline)):
        for change in (one for snapshot in outline.changes(number) for one in snapshot.changes):
            before, entries = found.get(change.path, (None, []))
            if before is None and len(found) == MOST_FILES:
                continue
            total = change if before is None else before.then(change)
            found[change.path] = (total, [*entries, number])
    for change, entries in found.values():
        yield ChangedFile(change, tuple(dict.fromkeys(entries)))


def _places(folder: Path, outline: Outline, files: tuple[ChangedFile, ...]) -> list[Place]:
    """Return where to look, in the order of the recording."""
    found = [
        Place("test_changed", outline[number].about, file.change.path)
        for file in files
        if is_test(file.change.path)
        for number in file.entries
    ]
    found += [Place("history_summarised", seq, "") for seq in _summaries(outline)]
    for one in read_evidence(folder):
        if one.standing != "sourced":
            found.append(Place(one.standing, one.seq, one.claim.text))
    return sorted(found, key=lambda place: place.seq)[:_MOST_PLACES]


def _summaries(outline: Outline) -> Iterator[int]:
    index = outline.index
    seq = index.find(APART, 0)
    while seq is not None:
        data = index.event(seq).data
        if isinstance(data, Compaction) and data.kind == "summary":
            yield seq
        seq = index.find(APART, seq + 1)
