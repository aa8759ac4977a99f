"""Finding recordings: lists by a filter, searches by text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import UNREADABLE
from recordings.index.index import Key, RecordingIndex
from recordings.index.schema import spaced
from recordings.index.texts import text_at
from recordings.reviews.approval import ApprovalState, Policy, Verdict, standing
from recordings.storage.log import is_locked
from recordings.store.summary import RecordingSummary

if TYPE_CHECKING:
    from recordings.store.summary import SummaryStatus

SortKey = Literal["started", "tokens", "steps", "rounds", "duration", "id"]
_AROUND = 60
"""Characters of a snippet on each side of a match."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which recordings; a field that is not set has no effect."""

    status: tuple[str, ...] = ()
    text: str | None = None
    """A part of the first user message."""
    model: str | None = None
    """A part of the model's name."""
    mode: str | None = None
    since: float | None = None
    """Seconds since the epoch, like `until`."""
    until: float | None = None
    tag: str | None = None
    query: str | None = None
    batch: str | None = None
    tool: str | None = None
    """A tool that was called."""
    error: str | None = None
    """A kind of error that occurred."""
    tokens: tuple[int | None, int | None] = (None, None)
    """At least, at most; like the two below."""
    steps: tuple[int | None, int | None] = (None, None)
    duration: tuple[float | None, float | None] = (None, None)
    """Seconds."""
    approval: ApprovalState | None = None
    reviewer: str | None = None
    """A reviewer who gave a verdict, void or not."""
    unjudged_by: str | None = None
    """A reviewer who gave no verdict on the recording as it is now."""


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """A recording in a list."""

    summary: RecordingSummary
    sha256: str
    """The recording's hash."""
    approval: ApprovalState = "unreviewed"
    reviewers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    outages: int = 0
    """Calls that hit an outage (`tool_infra`)."""
    query: str | None = None
    batch: str | None = None
    parent: str | None = None
    parent_seq: int | None = None
    uncounted: int = 0
    """Reviews that do not count, because this home did not write them."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a text was found."""

    id: str
    seq: int
    kind: Literal["user", "reasoning", "content", "call", "observation"]
    snippet: str
    """In one line."""
    matches: tuple[tuple[int, int], ...] = field(default=())
    """Places of the words in the snippet: (start, end)."""


def find(
    index: RecordingIndex,
    where: Filter = Filter(),
    *,
    sort: SortKey = "started",
    ascending: bool = False,
    limit: int | None = None,
    policy: Policy = "any",
) -> list[FoundRecording]:
    """Return the recordings that pass a filter, as of the index's last `refresh`."""
    column = {"duration": "ended - started"}.get(sort, sort)
    conditions, values = _conditions(where)
    rows = index.db.execute(
        f"SELECT * FROM recordings r WHERE {conditions} "
        f"ORDER BY {column} {'ASC' if ascending else 'DESC'}, id DESC",
        values,
    )
    names = [name for name, *_ in rows.description]
    verdicts, tags, outages = _verdicts(index), _tags(index), _outages(index)
    found = []
    for values_of_row in rows:
        row = dict(zip(names, values_of_row, strict=True))
        folder = index.folder_of(Key(row["id"], row["folder"]))
        if folder is None:
            continue
        one = _found(folder, row, verdicts.get(row["number"], []), policy)
        if where.status and one.summary.status not in where.status:
            continue
        if where.approval and one.approval != where.approval:
            continue
        found.append((row["number"], one))
        if len(found) == limit:
            break
    return [_with(one, tags.get(number, []), outages.get(number, 0)) for number, one in found]


def search(
    index: RecordingIndex, text: str, where: Filter = Filter(), *, limit: int = 50
) -> Iterator[Hit]:
    """Yield the places that have all words of a text, the newest recordings first.

    Words in double quotes are a phrase. A text without a word finds nothing.
    """
    words = _words(text)
    if not words:
        return
    conditions, values = _conditions(where)
    places = index.db.execute(
        "SELECT r.id, r.folder, p.seq, p.kind, p.offset "
        "FROM texts t JOIN places p ON p.place = t.rowid "
        f"JOIN recordings r USING (number) WHERE texts MATCH ? AND {conditions} "
        "ORDER BY t.rowid DESC LIMIT ?",
        (" ".join(f'"{word}"' for word in words), *values, limit),
    ).fetchall()
    for name, batch, seq, kind, offset in places:
        found = _text_at(index.folder_of(Key(name, batch)), kind, offset)
        if found is not None:
            yield Hit(name, seq, kind, *_snippet(found, words))


def children(index: RecordingIndex, name: str) -> list[tuple[str, int]]:
    """Return the forks of a recording: (id, the event at which it was forked)."""
    rows = index.db.execute(
        "SELECT id, parent_seq FROM recordings WHERE parent = ? ORDER BY parent_seq, id", (name,)
    )
    return rows.fetchall()


def _conditions(where: Filter) -> tuple[str, list[Any]]:
    found: list[tuple[str, Any]] = [
        ("instr(lower(r.first_message), lower(?))", where.text),
        ("instr(lower(r.model), lower(?))", where.model),
        ("r.mode = ?", where.mode),
        ("r.started >= ?", where.since),
        ("r.started < ?", where.until),
        ("r.query = ?", where.query),
        ("? IN (r.folder, r.batch)", where.batch),
        ("r.number IN (SELECT number FROM tags WHERE tag = ?)", where.tag),
        ("r.number IN (SELECT number FROM tools WHERE name = ?)", where.tool),
        ("r.number IN (SELECT number FROM errors WHERE kind = ?)", where.error),
        ("r.number IN (SELECT number FROM verdicts WHERE reviewer = ?)", where.reviewer),
        (
            "NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.number = r.number "
            "AND v.sha256 = r.head AND v.reviewer = ?)",
            where.unjudged_by,
        ),
        ("r.tokens >= ?", where.tokens[0]),
        ("r.tokens <= ?", where.tokens[1]),
        ("r.steps >= ?", where.steps[0]),
        ("r.steps <= ?", where.steps[1]),
        ("r.ended - r.started >= ?", where.duration[0]),
        ("r.ended - r.started <= ?", where.duration[1]),
    ]
    asked = [(condition, value) for condition, value in found if value is not None]
    conditions = " AND ".join(condition for condition, _ in asked)
    return conditions or "1", [value for _, value in asked]


class _Review(NamedTuple):
    """A row of `verdicts`."""

    reviewer: str
    time: float
    sha256: str
    verdict: Verdict


def _verdicts(index: RecordingIndex) -> dict[int, list[_Review]]:
    reviews: dict[int, list[_Review]] = {}
    for number, *values in index.db.execute("SELECT * FROM verdicts ORDER BY time"):
        reviews.setdefault(number, []).append(_Review(*values))
    return reviews


def _tags(index: RecordingIndex) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = {}
    for number, tag in index.db.execute("SELECT number, tag FROM tags ORDER BY tag"):
        tags.setdefault(number, []).append(tag)
    return tags


def _outages(index: RecordingIndex) -> dict[int, int]:
    kinds = index.db.execute("SELECT number, count FROM errors WHERE kind = ?", (TOOL_INFRA,))
    return dict(kinds.fetchall())


def _found(
    folder: Path, row: dict[str, Any], reviews: list[_Review], policy: Policy
) -> FoundRecording:
    status: SummaryStatus = row["status"] or ("open" if is_locked(folder) else "crashed")
    started, ended = row["started"], row["ended"]
    summary = RecordingSummary(
        id=row["id"],
        folder=folder,
        status=status,
        started=started,
        mode=row["mode"],
        model=row["model"],
        first_message=row["first_message"],
        rounds=row["rounds"],
        steps=row["steps"],
        tokens=row["tokens"],
        duration=max(0.0, ended - started) if started is not None else 0.0,
        bytes=row["size"] or 0,
        why=row["why"],
    )
    return FoundRecording(
        summary=summary,
        sha256=row["head"],
        approval=standing(reviews, row["head"], policy).state if reviews else "unreviewed",
        reviewers=tuple(review.reviewer for review in reviews),
        query=row["query"],
        batch=row["batch"] or row["folder"] or None,
        parent=row["parent"],
        parent_seq=row["parent_seq"],
        uncounted=row["uncounted"],
    )


def _with(found: FoundRecording, tags: list[str], outages: int) -> FoundRecording:
    return replace(found, tags=tuple(tags), outages=outages) if tags or outages else found


def _words(text: str) -> list[str]:
    """Return words and quoted phrases, without characters of the full-text syntax."""
    parts = re.findall(r'"([^"]*)"|(\S+)', text)
    words = [(phrase or word).replace('"', " ").strip() for phrase, word in parts]
    return [spaced(word) for word in words if re.search(r"\w", word)]


def _text_at(folder: Path | None, kind: str, offset: int) -> str | None:
    try:
        return None if folder is None else text_at(folder, kind, offset)
    except UNREADABLE:
        return None  # packed, redacted or deleted since the refresh


def _snippet(text: str, words: list[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return a snippet around the first match, and the places of the words in it."""
    pattern = re.compile("|".join(_pattern_of(word) for word in words), re.IGNORECASE)
    first = pattern.search(text)
    middle = first.start() if first else 0
    end = first.end() if first else 0
    start = max(0, middle - _AROUND)
    cut = " ".join(text[start : end + _AROUND].split())
    return cut, tuple(match.span() for match in pattern.finditer(cut))


def _pattern_of(word: str) -> str:
    """Return a pattern for a word or a phrase, with anything but words between its parts."""
    return r"\W*".join(re.escape(part) for part in re.findall(r"\w+", word))
