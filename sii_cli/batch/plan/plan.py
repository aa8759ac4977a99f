"""The plan of a batch: which attempts it runs, with which options and settings."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from sii_cli.batch.sent_back_step import SentBackStep
from sii_cli.config.settings import Settings
from sii_cli.queries.queries import Query
from sii_cli.trust.requirements import Kind, Requirement

UNPINNED = frozenset(
    (
        *(
            "base_url",
            "api_key",
            "search_key",
            "mailto",
            "home",
            "workspace",
            "idle_timeout",
            "retries",
        ),
        *("approval_policy", "permissions", "permission_rules"),
    )
)
"""Settings that may change when a batch is resumed: they do not change what a session is."""
_COMPARED = ("attempts", "vary", "feedback_rounds", "simulated_user", "feedback", "data_sets")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One session that a batch runs."""

    query: Query
    number: int
    """From 1."""
    variant: dict[str, Any] = field(default_factory=dict)
    """Varied settings, with the values of this session."""

    @property
    def name(self) -> str:
        """Name of the attempt, unique in the batch."""
        return attempt_name(self.query.id, self.number, self.variant)


def attempt_name(query: str, number: int, variant: dict[str, Any]) -> str:
    """Return the name of an attempt, as it follows from a recording's first event."""
    varied = ",".join(f"{name}={value}" for name, value in sorted(variant.items()))
    return f"{query}#{number}" + (f"@{varied}" if varied else "")


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What is pinned when a batch begins. The fields are those of `batch.json`."""

    name: str
    query_file: str
    query_folder: str
    """Paths in queries are relative to it."""
    queries_sha256: str
    attempts: int
    """Sessions of a query and variant."""
    vary: dict[str, list[Any]]
    """Settings and their values; every combination is run."""
    feedback_rounds: int
    """Rounds that may follow a failed check."""
    simulated_user: str | None
    """Model that plays the user in them; None: the check's output is sent."""
    settings: dict[str, Any]
    allowed: list[tuple[str, str]] = field(default_factory=list)
    """What the user granted of what the queries require: kinds and values."""
    feedback: Literal["human"] | None = None
    """Who says what follows an answer: a person (`sii inbox`); None: the check."""
    data_sets: dict[str, str] = field(default_factory=dict)
    """The hashes of the data sets that the settings and queries name."""
    changed: float = 0.0
    """When changes were last accepted, in seconds since the epoch: sessions of before whose check
    could not run are run again."""
    sent_back: dict[str, SentBackStep] = field(default_factory=dict)
    """The sessions that it continues, by the ids of their queries; empty: it begins new ones."""

    @property
    def granted(self) -> frozenset[Requirement]:
        """What the user granted."""
        return frozenset(Requirement(cast(Kind, kind), value) for kind, value in self.allowed)

    def variants(self) -> list[dict[str, Any]]:
        """Return every combination of the varied settings; one empty variant if none varies."""
        names = list(self.vary)
        return [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*self.vary.values())
        ]

    def size(self, queries: Sequence[Query]) -> int:
        """Return how many attempts there are."""
        return len(queries) * len(self.variants()) * self.attempts

    def all_attempts(self, queries: Sequence[Query]) -> Iterator[Attempt]:
        """Yield every attempt; those of one query in a row, for the server's prefix cache."""
        variants = self.variants()
        for query in queries:
            for variant in variants:
                for number in range(1, self.attempts + 1):
                    yield Attempt(query, number, variant)


def pinned_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that make a session what it is."""
    values = settings.without_secrets()
    return {name: value for name, value in values.items() if name not in UNPINNED}


def workspace_name(recorded: str) -> str:
    """Return the name of a session's workspace in the batch's folder, from its recorded path.

    The batch may have been moved since. No name leads out of the folder of the workspaces, or to
    what is in it beside them.
    """
    name = PurePosixPath(recorded).name
    return name if name and not name.startswith(".") else "workspace"


def encode_queries(queries: Sequence[Query]) -> bytes:
    """Return queries as JSONL, the same bytes for the same queries."""
    return b"".join(query.model_dump_json().encode() + b"\n" for query in queries)


def sha256_of(queries: Sequence[Query]) -> str:
    """Return the hash of the queries' content, independent of the file's format."""
    return hashlib.sha256(encode_queries(queries)).hexdigest()


def differences(before: BatchPlan, now: BatchPlan) -> list[str]:
    """Return how a plan differs from the pinned one, a clause for each difference."""
    found: list[str] = []
    if before.queries_sha256 != now.queries_sha256:
        found.append("the queries are others")
    was, is_now = _compared(before), _compared(now)
    found += [
        f"{name} was {was.get(name)!r} and is {is_now.get(name)!r}"
        for name in sorted(was.keys() | is_now.keys())
        if was.get(name) != is_now.get(name)
    ]
    return found


def _compared(plan: BatchPlan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in _COMPARED} | plan.settings
