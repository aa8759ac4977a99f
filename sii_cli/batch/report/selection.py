"""Rejection sampling: the sessions that go to review, and pairs of a better and a worse one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from recordings.errors import UNREADABLE
from recordings.events import Observation
from recordings.outcomes import is_failure, is_verdict
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import add_review, counted_reviews, tags
from recordings.storage.files import replace_file
from recordings.storage.log import read_events
from recordings.store.summary import RecordingSummary
from recordings.trust.home_key import HomeKey
from sii_cli.batch.attempts import Attempts
from sii_cli.batch.options import Preference, Selection

TAG = "to-review"
REVIEWER = "sii-batch"


def keep_best(folder: Path, attempts: Attempts, selection: Selection, key: HomeKey | None) -> str:
    """Tag the selected sessions and write `pairs.jsonl`; return a sentence about both. Blocks.

    Raises `RecordingFailed`.
    """
    selected = select(attempts, selection)
    mark(selected, key)
    pairs = preference_pairs(attempts)
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    replace_file(folder, "pairs.jsonl", lines.encode())
    return f"{len(selected)} recordings are tagged {TAG}; {len(pairs)} preference pairs"


def select(attempts: Attempts, selection: Selection) -> list[RecordingSummary]:
    """Return the best sessions of each query that have one of the selected outcomes. Blocks."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in attempts.ended.values():
        if one.outcome in selection.outcomes:
            by_query[one.query or ""].append(one)
    measure = MEASURES[selection.prefer]
    return [
        one
        for those in by_query.values()
        for one in sorted(those, key=lambda one: (measure(one), one.id))[: selection.per_query]
    ]


def mark(selected: list[RecordingSummary], key: HomeKey | None) -> None:
    """Tag recordings for review in the name of the home with this key, each once. Blocks."""
    for one in selected:
        if not _is_marked(one, key):
            add_review(one.folder, REVIEWER, role="check", add_tags=[TAG], key=key)


def _is_marked(one: RecordingSummary, key: HomeKey | None) -> bool:
    try:
        return TAG in tags(counted_reviews(one.folder, None if key is None else ReviewKeys(key)))
    except UNREADABLE:
        return True  # nothing is appended to it; `sii verify` says what is wrong


def preference_pairs(attempts: Attempts) -> list[dict[str, Any]]:
    """Return every pair of a solved session and a failed one of the same query."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in attempts.ended.values():
        by_query[one.query or ""].append(one)
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
