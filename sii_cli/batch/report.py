"""The report of a batch: what became of every session, from the recordings alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from recordings.summary import RecordingSummary
from sii_cli.batch.outcomes import Outcomes
from sii_cli.batch.plan import Plan
from sii_cli.batch.queries import Query
from sii_cli.batch.rates import FORMULAS, Tries, pass_all, pass_at

DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The sessions of one status."""

    status: str
    sessions: int
    share: float
    """Of the sessions that came to an outcome."""
    tokens: int
    """Generated."""
    seconds: float


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One query."""

    query: str
    sessions: int
    solved: int
    statuses: dict[str, int]
    mean_tokens: float
    recordings: list[str]


@dataclass(frozen=True, slots=True)
class Cause:
    """Sessions that failed for the same reason."""

    status: str
    reason: str
    sessions: int
    example: str
    """A recording to look at."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often queries with a check are solved in k sessions."""

    k: int
    pass_at: float | None
    pass_all: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a team reads on Monday."""

    name: str
    planned: int
    done: int
    queries: int
    statuses: list[StatusRow]
    rates: list[Rate]
    """Empty without a query that has a check."""
    by_query: list[QueryRow]
    causes: list[Cause]
    infra: list[Cause]
    """Failures that do not count: these sessions were run again."""
    stopped: int
    """Stopped half-way and run again."""
    formulas: dict[str, str]


def make_report(plan: Plan, queries: Sequence[Query], outcomes: Outcomes) -> Report:
    """Sum a batch up."""
    ended = list(outcomes.ended.values())
    by_query: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in ended:
        by_query[one.query or ""].append(one)
    return Report(
        name=plan.name,
        planned=len(queries) * len(plan.variants()) * plan.attempts,
        done=len(ended),
        queries=len(queries),
        statuses=_statuses(ended),
        rates=_rates(queries, by_query),
        by_query=[_query_row(query.id, by_query[query.id]) for query in queries],
        causes=_causes(one for one in ended if one.outcome not in ("solved", "answered")),
        infra=_causes(outcomes.infra),
        stopped=len(outcomes.stopped),
        formulas=FORMULAS,
    )


def _statuses(ended: Sequence[RecordingSummary]) -> list[StatusRow]:
    by_status: dict[str, list[RecordingSummary]] = defaultdict(list)
    for one in ended:
        by_status[one.outcome or ""].append(one)
    rows = [
        StatusRow(
            status=status,
            sessions=len(those),
            share=len(those) / len(ended),
            tokens=sum(one.generated for one in those),
            seconds=round(sum(one.duration for one in those), 3),
        )
        for status, those in by_status.items()
    ]
    return sorted(rows, key=lambda row: (-row.sessions, row.status))


def _rates(queries: Sequence[Query], by_query: dict[str, list[RecordingSummary]]) -> list[Rate]:
    checked = [by_query[query.id] for query in queries if query.check is not None]
    tries = [Tries(len(those), _solved(those)) for those in checked if those]
    most = max((one.n for one in tries), default=0)
    return [Rate(k, pass_at(tries, k), pass_all(tries, k)) for k in range(1, most + 1)]


def _query_row(query: str, those: list[RecordingSummary]) -> QueryRow:
    return QueryRow(
        query=query,
        sessions=len(those),
        solved=_solved(those),
        statuses=dict(Counter(one.outcome or "" for one in those)),
        mean_tokens=round(fmean(one.generated for one in those), 1) if those else 0.0,
        recordings=[one.id for one in those],
    )


def _solved(those: Iterable[RecordingSummary]) -> int:
    return sum(one.outcome == "solved" for one in those)


def _causes(failed: Iterable[RecordingSummary]) -> list[Cause]:
    """Group failures by status and reason; numbers in reasons do not tell causes apart."""
    groups: dict[tuple[str, str], list[RecordingSummary]] = defaultdict(list)
    for one in failed:
        groups[one.outcome or "", DIGITS.sub("N", one.reason)].append(one)
    causes = [
        Cause(status, those[0].reason, len(those), those[0].id)
        for (status, _), those in groups.items()
    ]
    return sorted(causes, key=lambda cause: -cause.sessions)


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON can hold it."""
    from dataclasses import asdict

    return asdict(report)
