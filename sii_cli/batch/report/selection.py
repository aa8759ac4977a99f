"""Rejection sampling: the sessions that go to review, and pairs of a better and a worse one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from recordings.errors import UNREADABLE
from recordings.events import Observation
from recordings.outcomes import is_failure, is_verdict
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import PASSED_OVER, add_review, counted_reviews, tags
from recordings.storage.files import replace_file
from recordings.storage.log import read_events
from recordings.store.summary import RecordingSummary
from recordings.trust.home_key import HomeKey
from sii_cli.batch.attempts import Attempts, query_of
from sii_cli.batch.options import Preference, Selection
from sii_cli.render.figures import counted

TAG = "to-review"
REVIEWER = "sii-batch"


def keep_best(folder: Path, attempts: Attempts, selection: Selection, key: HomeKey | None) -> str:
    """Tag the selected sessions and write `pairs.jsonl`; return a sentence about both. Blocks.

    Raises `RecordingFailed`.
    """
    selected = select(attempts, selection)
    mark(selected, key)
    pairs = preference_pairs(attempts)
    _write_pairs(folder, pairs)
    return f"{len(selected)} recordings are tagged {TAG}; {len(pairs)} preference pairs"


def keep_continuations(folder: Path, attempts: Attempts, key: HomeKey | None) -> str:
    """Send the best continuation of each session that was sent back to review, the rest not.

    The best is solved, then has the highest score, then the fewest tokens. It makes a pair with
    each that is worse by check or score. One whose attempts have not all ended waits. Return a
    sentence. Blocks. Raises `RecordingFailed`.
    """
    best, rest, pairs = [list[RecordingSummary](), list[RecordingSummary](), list[dict[str, Any]]()]
    for query, those in _complete(attempts).items():
        first, *others = sorted(those, key=lambda one: (*_rank(one), one.generated, one.id))
        best.append(first)
        rest += others
        pairs += [
            {"query": query, "chosen": first.id, "rejected": one.id, "because": one.outcome}
            for one in others
            if _rank(first) < _rank(one)
        ]
    mark(best, key)
    mark(rest, key, PASSED_OVER)
    _write_pairs(folder, pairs)
    chosen = counted(len(best), "continuation is", "continuations are")
    made = counted(len(pairs), "preference pair", "preference pairs")
    return f"{chosen} tagged {TAG}, {len(rest)} {PASSED_OVER}; {made}"


def _complete(attempts: Attempts) -> dict[str, list[RecordingSummary]]:
    """Return the sessions of each query all attempts of which have ended."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in attempts.ended.values():
        by_query[query_of(one)].append(one)
    planned = Counter(name.rpartition("#")[0] for name in attempts.planned)
    return {query: those for query, those in by_query.items() if len(those) == planned[query]}


def _rank(one: RecordingSummary) -> tuple[bool, float]:
    """Return what orders continuations: the smallest is the best."""
    return one.outcome != "solved", -(one.score or 0.0)


def select(attempts: Attempts, selection: Selection) -> list[RecordingSummary]:
    """Return the best sessions of each query that have one of the selected outcomes. Blocks."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in attempts.ended.values():
        if one.outcome in selection.outcomes:
            by_query[query_of(one)].append(one)
    measure = MEASURES[selection.prefer]
    return [
        one
        for those in by_query.values()
        for one in sorted(those, key=lambda one: (measure(one), one.id))[: selection.per_query]
    ]


def _write_pairs(folder: Path, pairs: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    replace_file(folder, "pairs.jsonl", lines.encode())


def mark(selected: list[RecordingSummary], key: HomeKey | None, tag: str = TAG) -> None:
    """Tag recordings in the name of the home with this key, each once. Blocks."""
    for one in selected:
        if not _is_marked(one, key, tag):
            add_review(one.folder, REVIEWER, role="check", add_tags=[tag], key=key)


def _is_marked(one: RecordingSummary, key: HomeKey | None, tag: str) -> bool:
    try:
        return tag in tags(counted_reviews(one.folder, None if key is None else ReviewKeys(key)))
    except UNREADABLE:
        return True  # nothing is appended to it; `sii verify` says what is wrong


def preference_pairs(attempts: Attempts) -> list[dict[str, Any]]:
    """Return every pair of a solved session and a failed one of the same query."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in attempts.ended.values():
        by_query[query_of(one)].append(one)
    return [
        {"query": query, "chosen": better.id, "rejected": worse.id, "because": worse.outcome}
        for query, those in by_query.items()
        for better, worse in product(those, those)
        if better.outcome == "solved" and is_failure(worse.outcome) and is_verdict(worse.outcome)
    ]


def _errors(one: RecordingSummary) -> float:
    """Return how many calls of a session failed; of one that cannot be read, infinity."""
    observations = (event.data for event in read_events(one.folder))
    try:
        return sum(
            data.error is not None or bool(data.exit_code)
            for data in observations
            if isinstance(data, Observation)
        )
    except UNREADABLE:
        return float("inf")


MEASURES: dict[Preference, Callable[[RecordingSummary], float]] = {
    "shortest": lambda one: one.generated,
    "fewest-steps": lambda one: one.steps,
    "fewest-errors": _errors,
    "first": lambda one: one.started or 0.0,
}
"""The smallest is the best."""
