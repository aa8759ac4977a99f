"""A collection at a glance: how far it is from its goal, from the index alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from recordings.index.find import FoundRecording
from recordings.index.stats import LIMI
from recordings.outcomes import UNREADABLE_STATES
from recordings.pins import departures, read_facts
from recordings.reviews.agreement import Agreement
from recordings.store.collection import BATCHES, home_of


@dataclass(slots=True)
class Glance:
    """Counts of a collection's recordings."""

    recordings: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    """Recordings that can be read, by their approval."""
    states: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    """Sessions outside of batches, by mode."""
    batches: dict[str, Counter[str]] = field(default_factory=dict)
    """By batch: its sessions by outcome."""
    queries: int = 0
    """Queries that sessions were made from."""
    tokens: dict[str, float] = field(default_factory=dict)
    """Of a trajectory: min, median, max; empty without one."""
    limi: Mapping[str, int] = field(default_factory=lambda: LIMI)
    departures: Counter[str] = field(default_factory=Counter)
    """Sessions that differ from the collection's pins, by what differs."""
    departing: int = 0
    """Sessions that differ from them."""
    prompts: int = 0
    """Combinations of system prompt and tools."""
    uncounted: int = 0
    """Recordings with reviews that do not count."""
    reviewers: Counter[str] = field(default_factory=Counter)
    """Verdicts, by reviewer."""
    agreement: Agreement | None = None
    """Of the verdicts; `None` where no recording has two."""
    set_aside: Counter[str] = field(default_factory=Counter)
    """Recordings that no person is given, by reason; `all` counts each once."""


def glance(found: Sequence[FoundRecording], pins: Mapping[str, str]) -> Glance:
    """Count the recordings of a collection."""
    seen = Glance(recordings=len(found))
    lengths = [one.longest for one in found if one.longest]
    if lengths:
        seen.tokens = {"min": min(lengths), "median": median(lengths), "max": max(lengths)}
    prompts = set()
    for one in found:
        seen.states[one.summary.state] += 1
        if one.summary.state not in UNREADABLE_STATES:
            seen.standings[one.approval] += 1
        seen.uncounted += bool(one.uncounted)
        batch = _batch_of(one)
        if batch is None:
            seen.modes[one.summary.mode or one.summary.state] += 1
        else:
            outcome = one.summary.session_outcome or one.summary.state
            seen.batches.setdefault(batch, Counter())[outcome] += 1
        if facts := read_facts(one.facts):
            prompts.add((facts.get("system_prompt"), facts.get("tools")))
            differing = departures(facts, pins)
            seen.departures.update(differing)
            seen.departing += bool(differing)
    seen.queries = len({one.query for one in found if one.query is not None})
    seen.prompts = len(prompts)
    return seen


def _batch_of(found: FoundRecording) -> str | None:
    """Return the name of the batch's folder that a recording is in."""
    folder = home_of(found.summary.folder)
    return folder.name if folder.parent.name == BATCHES else None
