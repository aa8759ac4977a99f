"""The plan of a batch: which sessions there are to be, pinned so that it can be gone on with."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sii_cli.batch.files import replace_file
from sii_cli.batch.queries import Query
from sii_cli.config import Settings
from sii_cli.errors import UsageError

PLAN = "batch.json"
QUERIES = "queries.jsonl"

UNPINNED = frozenset(
    ("base_url", "api_key", "home", "workspace", "idle_timeout", "retries", "approval_policy")
)
"""Settings that may change while a batch goes on: they do not change what a session is."""


@dataclass(frozen=True, slots=True)
class Job:
    """One session that there is to be."""

    query: Query
    attempt: int
    """From 1."""
    variant: dict[str, Any] = field(default_factory=dict)
    """Settings that the batch varies, as this session has them."""

    @property
    def name(self) -> str:
        """Name of the job, unique in the batch."""
        return job_name(self.query.id, self.attempt, self.variant)


def job_name(query: str, attempt: int, variant: dict[str, Any]) -> str:
    """Return the name of a job, as it can be told from a recording's first event."""
    varied = ",".join(f"{name}={value}" for name, value in sorted(variant.items()))
    return f"{query}#{attempt}" + (f"@{varied}" if varied else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is pinned when a batch begins."""

    name: str
    query_file: str
    query_folder: str
    """What paths in queries are relative to."""
    queries_sha256: str
    attempts: int
    """Sessions of a query and variant."""
    vary: dict[str, list[Any]]
    """Settings and the values that they take; every combination is run."""
    feedback_rounds: int
    """Rounds that may follow on a failed check."""
    simulated_user: str | None
    """Model that plays the user in them; none: the check's output is sent."""
    settings: dict[str, Any]

    def variants(self) -> list[dict[str, Any]]:
        """Return every combination of the varied settings; one empty one without any."""
        names = list(self.vary)
        return [
            dict(zip(names, values, strict=True))
            for values in itertools.product(*self.vary.values())
        ]

    def sessions(self, queries: Sequence[Query]) -> int:
        """Return how many there are to be."""
        return len(queries) * len(self.variants()) * self.attempts

    def jobs(self, queries: Sequence[Query]) -> Iterator[Job]:
        """Yield the sessions; those of one query side by side, for the server's prefix cache."""
        variants = self.variants()
        for query in queries:
            for variant in variants:
                for attempt in range(1, self.attempts + 1):
                    yield Job(query, attempt, variant)


def pinned_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that make a session what it is."""
    values = settings.without_secrets()
    return {name: value for name, value in values.items() if name not in UNPINNED}


def encode_queries(queries: Sequence[Query]) -> bytes:
    """Return queries as JSONL, the same bytes for the same queries."""
    return b"".join(query.model_dump_json().encode() + b"\n" for query in queries)


def sha256_of(queries: Sequence[Query]) -> str:
    """Return the hash of what the queries say, whatever the file looks like."""
    return hashlib.sha256(encode_queries(queries)).hexdigest()


def pin(folder: Path, plan: Plan, queries: Sequence[Query]) -> None:
    """Write the plan and its queries down. Raises `RecordingFailed`."""
    replace_file(folder / QUERIES, encode_queries(queries))
    replace_file(folder / PLAN, json.dumps(asdict(plan), indent=2).encode() + b"\n")


def load_plan(folder: Path) -> tuple[Plan, list[Query]]:
    """Return what a folder's batch pinned. Raises `UsageError`."""
    if not is_batch(folder):
        raise UsageError(
            f"{folder} is no batch's folder (it has no {PLAN}): begin one with "
            f"`sii batch FILE --out {folder}`."
        )
    name = PLAN
    try:
        plan = Plan(**json.loads((folder / PLAN).read_bytes()))
        name = QUERIES
        lines = (folder / QUERIES).read_bytes().splitlines()
        return plan, [Query.model_validate_json(line) for line in lines]
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{folder / name} is damaged: put it back as it was, or begin another batch with "
            "`sii batch FILE --out DIR`."
        ) from error


def is_batch(folder: Path) -> bool:
    """Tell whether a batch has been begun in the folder."""
    return (folder / PLAN).exists()


def differences(before: Plan, now: Plan) -> list[str]:
    """Say what of a plan is not what was pinned, a clause each."""
    told: list[str] = []
    if before.queries_sha256 != now.queries_sha256:
        told.append("the queries are others")
    was, is_now = _compared(before), _compared(now)
    told += [
        f"{name} was {was.get(name)!r} and is {is_now.get(name)!r}"
        for name in sorted(was.keys() | is_now.keys())
        if was.get(name) != is_now.get(name)
    ]
    return told


def _compared(plan: Plan) -> dict[str, Any]:
    names = ("attempts", "vary", "feedback_rounds", "simulated_user")
    return {name: getattr(plan, name) for name in names} | plan.settings
