"""Statistics of recordings: length of trajectories, calls, failures, approvals.

Read from the logs; memory holds one row of numbers a recording.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import UNREADABLE
from recordings.evidence.evidence import DOUBTED, Standing, read_evidence
from recordings.index.find import FoundRecording
from recordings.reviews.approval import Verdict
from recordings.reviews.review import Review
from recordings.storage.lines import parse_line
from recordings.storage.log import Line, head_of, read_lines

LIMI = {"min": 13_000, "mean": 42_400, "max": 152_000}
"""Tokens of LIMI's 78 trajectories (arXiv 2509.17567)."""
BINS = (0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000)
"""Lower ends of the bins of the token histogram; the last has no upper end."""
EXIT_CODE = "exit_code"
"""Kind of the error of a command that ended with another exit code than 0, or of python that raised
an exception.
"""
_COUNTED = frozenset({"model_response", "model_error", "observation", "user_message", "interrupt"})


@dataclass(slots=True)
class Figures:
    """The figures of one recording."""

    found: FoundRecording
    tokens: int = 0
    """Length of the longest prompt with its response: the trajectory as the model last read it."""
    generated: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """Calls that failed, by tool, without those that hit an outage."""
    outages: int = 0
    """Calls that hit an outage."""
    evidence: Counter[Standing] = field(default_factory=Counter)
    """Claims of answers and reports, by where they come from."""
    errors: Counter[str] = field(default_factory=Counter)
    """By kind: of calls, and of requests to the model."""
    interventions: int = 0
    """What the human did after the first message: further messages, and interrupts."""
    signed_off: Verdict | None = None
    """The practitioner's last verdict: `approve`, the task is done, or `reject`, it is not."""
    rounds_until_done: int | None = None
    """Rounds until the practitioner said that the task is done."""


def figures_of(found: FoundRecording, reviews: Iterable[Review] = ()) -> Figures:
    """Read one recording; of its reviews those of practitioners count here. Raises `UNREADABLE`."""
    figures = Figures(found)
    verdicts = [one for one in reviews if one.role == "practitioner" and one.verdict is not None]
    if verdicts:
        figures.signed_off = verdicts[-1].verdict
    done = {one.sha256 for one in verdicts if one.verdict == "approve"}
    rounds, said = 0, 0
    for line in read_lines(found.summary.folder):
        head = head_of(found.summary.folder, line)
        kind = head.type
        if kind == "round_end":
            rounds += 1
        if done and figures.rounds_until_done is None and sha256_of(line) in done:
            figures.rounds_until_done = rounds
        if kind not in _COUNTED:
            continue
        event = parse_line(line.text)
        data = event["data"]
        if kind in ("user_message", "interrupt"):
            said += event["origin"] == "human"
        elif kind == "model_response":
            usage = data["usage"] or {"prompt_tokens": 0, "completion_tokens": 0}
            made = usage["completion_tokens"]
            figures.tokens = max(figures.tokens, usage["prompt_tokens"] + made)
            figures.generated += made
        elif kind == "model_error":
            figures.errors[f"model: {data['kind']}"] += 1
        else:
            name, error = _word(data["name"]), data["error"]
            figures.calls[name] += 1
            if error is None and data.get("exit_code"):
                error = EXIT_CODE
            if error is not None:
                figures.errors[_word(error)] += 1
                if error == TOOL_INFRA:
                    figures.outages += 1
                else:
                    figures.failed[name] += 1
    figures.interventions = max(0, said - 1)
    figures.evidence.update(one.standing for one in read_evidence(found.summary.folder))
    return figures


def sha256_of(line: Line) -> str:
    """Return what the recording's hash was when this line was its last."""
    return hashlib.sha256(line.text).hexdigest()


def _word(value: object) -> str:
    """Return a name; a recording may hold anything. Raises `TypeError`."""
    if not isinstance(value, str):
        raise TypeError("a name is not a string")
    return value


def summarise_all(
    recordings: Iterable[FoundRecording],
    reviews: Callable[[Path], Iterable[Review]] = lambda folder: (),
) -> dict[str, Any]:
    """Return the figures of many recordings, and of each model, query and batch among them.

    `reviews` returns the reviews that count, of the recording in a folder.
    """
    rows, unread = [], 0
    for found in recordings:
        try:
            rows.append(figures_of(found, reviews(found.summary.folder)))
        except UNREADABLE:
            unread += 1
    groups: dict[str, Callable[[Figures], str | None]] = {
        "model": lambda one: one.found.summary.model,
        "query": lambda one: one.found.query,
        "batch": lambda one: one.found.batch,
    }
    return {
        **_summary(rows),
        "unread": unread,
        "limi_tokens": LIMI,
        "by": {name: _by(rows, key) for name, key in groups.items()},
    }


def _by(rows: list[Figures], key: Callable[[Figures], str | None]) -> dict[str, Any]:
    groups: dict[str, list[Figures]] = {}
    for row in rows:
        name = key(row)
        if name:
            groups.setdefault(name, []).append(row)
    return {name: _summary(members) for name, members in sorted(groups.items())}


def _summary(rows: list[Figures]) -> dict[str, Any]:
    tokens = [row.tokens for row in rows if row.tokens]
    calls: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for row in rows:
        calls += row.calls
        failed += row.failed
        errors += row.errors
    approval = Counter(row.found.approval for row in rows)
    judged = len(rows) - sum(approval[state] for state in ("unreviewed", "in_review", "void"))
    return {
        "recordings": len(rows),
        "tokens": {**_spread(tokens), "histogram": _histogram(tokens)},
        "generated_tokens": sum(row.generated for row in rows),
        "steps": _spread([row.found.summary.steps for row in rows]),
        "rounds": _spread([row.found.summary.rounds for row in rows]),
        "seconds": _spread([round(row.found.summary.duration, 3) for row in rows]),
        "interventions": _spread([row.interventions for row in rows]),
        "signed_off": dict(Counter(row.signed_off for row in rows if row.signed_off)),
        "rounds_until_done": _spread(
            [row.rounds_until_done for row in rows if row.rounds_until_done is not None]
        ),
        "calls": {
            name: {"calls": count, "failed": failed[name]} for name, count in calls.most_common()
        },
        "error_rate": round(failed.total() / calls.total(), 4) if calls else None,
        "errors": dict(errors.most_common()),
        "outages": {
            "calls": sum(row.outages for row in rows),
            "recordings": sum(bool(row.outages) for row in rows),
        },
        "evidence": {
            "claims": sum(row.evidence.total() for row in rows),
            **{name: sum(row.evidence[name] for row in rows) for name in DOUBTED},
            "recordings": sum(any(row.evidence[name] for name in DOUBTED) for row in rows),
        },
        "outcome": dict(
            Counter(row.found.summary.session_outcome or "none" for row in rows).most_common()
        ),
        "state": dict(Counter(row.found.summary.state for row in rows).most_common()),
        "score": _spread([score for row in rows if (score := row.found.summary.score) is not None]),
        "excluded_events": sum(row.found.excluded for row in rows),
        "status": dict(Counter(row.found.summary.status for row in rows).most_common()),
        "approval": dict(approval.most_common()),
        "approval_yield": round(approval["approved"] / judged, 4) if judged else None,
    }


def _spread(values: list[int] | list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        "min": min(values),
        "median": median(values),
        "mean": round(fmean(values), 3),
        "max": max(values),
    }


def _histogram(values: list[int]) -> list[list[int]]:
    """Return pairs of the lower end of a bin and the number of values in it."""
    counts = [0] * len(BINS)
    for value in values:
        counts[max(place for place, begin in enumerate(BINS) if begin <= value)] += 1
    return [[begin, count] for begin, count in zip(BINS, counts, strict=True)]
