"""Finding recordings: lists by a filter, searches by text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import UNREADABLE
from recordings.index.approvals import Approvals
from recordings.index.conditions import sql_conditions
from recordings.index.index import Key, RecordingIndex
from recordings.index.schema import spaced
from recordings.index.texts import text_at
from recordings.reviews.approval import ApprovalState
from recordings.reviews.blind import HIDDEN, Viewer
from recordings.reviews.protocol import DEFAULT_PROTOCOL, ReviewProtocol
from recordings.storage.log import is_locked
from recordings.store.checks import LastCheck
from recordings.store.summary import RecordingSummary

if TYPE_CHECKING:
    from recordings.outcomes import State
    from recordings.store.summary import SummaryStatus

SortKey = Literal["started", "tokens", "steps", "rounds", "duration", "id"]
TextKind = Literal["user", "reasoning", "content", "call", "observation"]
_AROUND = 60
"""Characters of a snippet on each side of a match."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which recordings; a field that is not set has no effect."""

    ids: tuple[str, ...] = ()
    """Recordings by their whole ids."""
    outcome: tuple[str, ...] = ()
    """In the words of `recordings.outcomes`."""
    state: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    """Outcomes or states, in these words or those of events."""
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
    score: tuple[float | None, float | None] = (None, None)
    approval: ApprovalState | None = None
    reviewer: str | None = None
    """A reviewer who gave a verdict, void or not."""
    judge: str | None = None
    """A person who may judge the recording, because none of their words are in it."""
    unjudged_by: str | None = None
    """A person who gave no verdict on the recording as it is now."""


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """A recording in a list."""

    summary: RecordingSummary
    sha256: str
    """The recording's hash."""
    approval: ApprovalState = "unreviewed"
    reviewers: tuple[str, ...] = ()
    """Those who gave a verdict, whether it counts or not."""
    dissent: tuple[str, ...] = ()
    """Reviewers whose verdict is not that of the approval."""
    tags: tuple[str, ...] = ()
    outages: int = 0
    """Calls that hit an outage (`tool_infra`)."""
    query: str | None = None
    batch: str | None = None
    parent: str | None = None
    parent_seq: int | None = None
    set_aside: tuple[str, ...] = ()
    """Reviewers whose verdict does not count, because of who they are."""
    counted: int = 0
    """Verdicts that count."""
    missing: int = 1
    """Verdicts that it still needs."""
    uncounted: int = 0
    """Reviews that do not count, because this home did not write them."""
    check: LastCheck | None = None
    """The last one that ran."""
    rubric: str | None = None
    """What the query asks a reviewer to check."""
    excluded: int = 0
    """Events that reviewers exclude from training."""
    is_blind: bool = False
    """Whether what others said is hidden from the person who looks."""
    longest: int = 0
    """Tokens of the longest prompt with its response: the trajectory as the model last read it."""
    doubts: tuple[str, ...] = ()
    """Hints in its calls and answers (`recordings.index.doubts`)."""
    facts: str = ""
    """What a collection may pin of the session, as JSON (`recordings.pins`)."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a text was found."""

    id: str
    seq: int
    kind: TextKind
    snippet: str
    """In one line."""
    matches: tuple[tuple[int, int], ...] = field(default=())
    """Places of the words in the snippet: (start, end)."""
    outcome: str | None = None
    """How the session ended."""
    state: State = "ended"
    """Of the recording."""


def find(
    index: RecordingIndex,
    where: Filter = Filter(),
    *,
    sort: SortKey = "started",
    ascending: bool = False,
    limit: int | None = None,
    protocol: ReviewProtocol = DEFAULT_PROTOCOL,
    viewer: Viewer | None = None,
) -> list[FoundRecording]:
    """Return the recordings that pass a filter, as of the index's last `refresh`.

    `viewer`: the person from whom the verdicts of others may be hidden.
    """
    column = {"duration": "ended - started"}.get(sort, sort)
    conditions, values = sql_conditions(where)
    rows = index.db.execute(
        f"SELECT * FROM recordings r WHERE {conditions} "
        f"ORDER BY {column} {'ASC' if ascending else 'DESC'}, id DESC",
        values,
    )
    names = [name for name, *_ in rows.description]
    approvals = Approvals(index.db, protocol, viewer=viewer)
    tags, outages = _tags(index), _outages(index)
    found = []
    for values_of_row in rows:
        row = dict(zip(names, values_of_row, strict=True))
        folder = index.folder_of(Key(row["id"], row["folder"]))
        if folder is None:
            continue
        one = _found(folder, row, approvals)
        if not _passes(one, where):
            continue
        found.append((row["number"], one))
        if len(found) == limit:
            break
    return [_with(one, tags.get(number, []), outages.get(number, 0)) for number, one in found]


def _is_narrowed(where: Filter) -> bool:
    """Return whether `_passes` leaves recordings out."""
    return bool(where.status or where.state or where.outcome or where.approval or where.reviewer)


def _passes(one: FoundRecording, where: Filter) -> bool:
    """Return whether a recording passes what a query of the index cannot decide."""
    summary = one.summary
    words = {summary.status, summary.state, summary.session_outcome}
    return (
        (not where.status or bool(words & set(where.status)))
        and (not where.state or summary.state in where.state)
        and (not where.outcome or summary.session_outcome in where.outcome)
        and (not where.approval or one.approval == where.approval)
        and (not where.reviewer or where.reviewer in one.reviewers)
    )


def find_in(
    indexes: Sequence[RecordingIndex],
    where: Filter = Filter(),
    *,
    sort: SortKey = "started",
    ascending: bool = False,
    limit: int | None = None,
    protocol: ReviewProtocol = DEFAULT_PROTOCOL,
    viewer: Viewer | None = None,
) -> list[FoundRecording]:
    """Return the recordings of several homes that pass a filter, in one order."""
    options: dict[str, Any] = {"sort": sort, "ascending": ascending, "limit": limit}
    options |= {"protocol": protocol, "viewer": viewer}
    found = [one for index in indexes for one in find(index, where, **options)]
    if len(indexes) > 1:
        found.sort(key=lambda one: one.summary.id, reverse=True)
        found.sort(key=lambda one: _sort_key(one, sort), reverse=not ascending)
    return found[:limit]


def _sort_key(found: FoundRecording, sort: SortKey) -> tuple[bool, Any]:
    """Return what sorts a recording; unknown is the least, as in SQLite."""
    value = getattr(found.summary, sort)
    return value is not None, value if value is not None else 0


def search(
    index: RecordingIndex,
    text: str,
    where: Filter = Filter(),
    *,
    limit: int = 50,
    protocol: ReviewProtocol = DEFAULT_PROTOCOL,
    viewer: Viewer | None = None,
) -> Iterator[Hit]:
    """Yield the places that have all words of a text, the newest recordings first.

    Words in double quotes are a phrase. A text without a word finds nothing.
    """
    words = _words(text)
    if not words:
        return
    conditions, values = sql_conditions(where)
    places = index.db.execute(
        "SELECT r.number, p.seq, p.kind, p.offset FROM texts t JOIN places p ON p.place = t.rowid "
        f"JOIN recordings r USING (number) WHERE texts MATCH ? AND {conditions} "
        "ORDER BY t.rowid DESC LIMIT ?",
        # What the query cannot decide is decided before places are counted.
        (" ".join(f'"{word}"' for word in words), *values, -1 if _is_narrowed(where) else limit),
    ).fetchall()
    recordings: dict[int, FoundRecording | None] = {}
    count = 0
    for number, seq, kind, offset in places:
        if number not in recordings:
            recordings[number] = _found_by_number(index, number, protocol, viewer)
        one = recordings[number]
        if one is None or not _passes(one, where):
            continue
        found = _text_at(one.summary.folder, kind, offset)
        if found is None:
            continue
        yield _hit(one, seq, kind, found, words)
        count += 1
        if count == limit:
            return


def _hit(one: FoundRecording, seq: int, kind: TextKind, found: str, words: list[str]) -> Hit:
    snippet, matches = _snippet(found, words)
    outcome, state = one.summary.session_outcome, one.summary.state
    return Hit(one.summary.id, seq, kind, snippet, matches, outcome, state)


def children(index: RecordingIndex, name: str) -> list[tuple[str, int]]:
    """Return the forks of a recording: (id, the event at which it was forked)."""
    rows = index.db.execute(
        "SELECT id, parent_seq FROM recordings WHERE parent = ? ORDER BY parent_seq, id", (name,)
    )
    return rows.fetchall()


def _tags(index: RecordingIndex) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = {}
    for number, tag in index.db.execute("SELECT number, tag FROM tags ORDER BY tag"):
        tags.setdefault(number, []).append(tag)
    return tags


def _outages(index: RecordingIndex) -> dict[int, int]:
    kinds = index.db.execute("SELECT number, count FROM errors WHERE kind = ?", (TOOL_INFRA,))
    return dict(kinds.fetchall())


def _found(folder: Path, row: dict[str, Any], approvals: Approvals) -> FoundRecording:
    number, sha256 = row["number"], row["head"]
    stands, is_blind = approvals.standing(number, sha256), approvals.is_blind(number, sha256)
    status: SummaryStatus = row["status"] or ("open" if is_locked(folder) else "crashed")
    started, ended = row["started"], row["ended"]
    if hides_check := approvals.hides_check(number, sha256):
        row = {**row, "outcome": HIDDEN, "score": None, "reason": ""}
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
        outcome=row["outcome"],
        score=row["score"],
        reason=row["reason"],
    )
    return FoundRecording(
        summary=summary,
        sha256=row["head"],
        approval=stands.state if stands else "unreviewed",
        reviewers=approvals.reviewers(number, sha256),
        dissent=stands.dissent if stands else (),
        set_aside=stands.set_aside if stands else (),
        counted=len(stands.verdicts) if stands else 0,
        missing=stands.missing if stands else approvals.needed,
        longest=row["longest"],
        facts=row["facts"],
        doubts=tuple(row["doubts"].split()),
        query=row["query"],
        batch=row["batch"] or row["folder"] or None,
        parent=row["parent"],
        parent_seq=row["parent_seq"],
        uncounted=0 if is_blind else row["uncounted"],
        check=None if hides_check else _check_of(row["last_check"]),
        rubric=row["rubric"],
        excluded=0 if is_blind else row["excluded"],
        is_blind=is_blind,
    )


def _found_by_number(
    index: RecordingIndex, number: int, protocol: ReviewProtocol, viewer: Viewer | None
) -> FoundRecording | None:
    rows = index.db.execute("SELECT * FROM recordings WHERE number = ?", (number,))
    names = [name for name, *_ in rows.description]
    row = rows.fetchone()
    if row is None:
        return None  # another process has refreshed the index meanwhile
    facts = dict(zip(names, row, strict=True))
    folder = index.folder_of(Key(facts["id"], facts["folder"]))
    if folder is None:
        return None
    return _found(folder, facts, Approvals(index.db, protocol, number, viewer))


def _check_of(text: str | None) -> LastCheck | None:
    if text is None:
        return None
    kept = orjson.loads(text)
    lines, requirements = tuple(kept.pop("last_lines")), map(tuple, kept.pop("requirements"))
    return LastCheck(**kept, last_lines=lines, requirements=tuple(requirements))


def _with(found: FoundRecording, tags: list[str], outages: int) -> FoundRecording:
    return replace(found, tags=tuple(tags), outages=outages) if tags or outages else found


def _words(text: str) -> list[str]:
    """Return words and quoted phrases, without characters of the full-text syntax."""
    parts = re.findall(r'"([^"]*)"|(\S+)', text)
    words = [(phrase or word).replace('"', " ").strip() for phrase, word in parts]
    return [spaced(word) for word in words if re.search(r"\w", word)]


def _text_at(folder: Path, kind: str, offset: int) -> str | None:
    try:
        return text_at(folder, kind, offset)
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
