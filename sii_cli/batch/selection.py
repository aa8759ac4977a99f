"""Rejection sampling: which sessions go to review, and which make pairs of a better and a worse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import product
from typing import Any, Literal

from recordings.errors import UNREADABLE
from recordings.events import Observation
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.reviews import add_review, counted_reviews, tags
from recordings.storage.log import read_events
from recordings.store.summary import RecordingSummary
from recordings.trust.home_key import HomeKey
from sii_cli.batch.outcomes import Outcomes

TAG = "to-review"
REVIEWER = "sii-batch"

Prefer = Literal["shortest", "fewest-steps", "fewest-errors", "first"]


def select(
    outcomes: Outcomes, keep: set[str], per_query: int, prefer: Prefer
) -> list[RecordingSummary]:
    """Return the sessions to keep: of each query the best of those that ended so. Blocks."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in outcomes.ended.values():
        if one.outcome in keep:
            by_query[one.query or ""].append(one)
    measure = MEASURES[prefer]
    return [
        one
        for those in by_query.values()
        for one in sorted(those, key=lambda one: (measure(one), one.id))[:per_query]
    ]


def mark(selected: list[RecordingSummary], key: HomeKey | None) -> int:
    """Tag recordings for review, as the word of the home with this key; return how many were not
    tagged before. Blocks.
    """
    fresh = [one for one in selected if not _is_marked(one, key)]
    for one in fresh:
        add_review(one.folder, REVIEWER, add_tags=[TAG], key=key)
    return len(fresh)


def _is_marked(one: RecordingSummary, key: HomeKey | None) -> bool:
    try:
        return TAG in tags(counted_reviews(one.folder, None if key is None else ReviewKeys(key)))
    except UNREADABLE:
        return True  # nothing is appended to it; `sii verify` says what is wrong


def preference_pairs(outcomes: Outcomes) -> list[dict[str, Any]]:
    """Return every pair of a solved and an unsolved session of one query."""
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in outcomes.ended.values():
        by_query[one.query or ""].append(one)
    return [
        {"query": query, "chosen": better.id, "rejected": worse.id, "because": worse.outcome}
        for query, those in by_query.items()
        for better, worse in product(those, those)
        if better.outcome == "solved" and worse.outcome not in ("solved", "answered")
    ]


def _errors(one: RecordingSummary) -> float:
    observations = (event.data for event in read_events(one.folder))
    try:
        return sum(
            data.error is not None or bool(data.exit_code)
            for data in observations
            if isinstance(data, Observation)
        )
    except UNREADABLE:
        return float("inf")


MEASURES: dict[str, Callable[[RecordingSummary], float]] = {
    "shortest": lambda one: one.generated,
    "fewest-steps": lambda one: one.steps,
    "fewest-errors": _errors,
    "first": lambda one: one.started or 0.0,
}
