"""The plan of a batch: which sessions there are to be, pinned so that it can be gone on with."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from pydantic import TypeAdapter

from recordings.errors import MALFORMED
from recordings.storage.files import replace_file
from recordings.storage.opening import open_file, read_file
from recordings.trust.home_key import HomeKey
from sii_cli.batch.vary import check_varied
from sii_cli.config.settings import BATCH_FILE, Settings
from sii_cli.errors import UsageError
from sii_cli.queries.queries import Query
from sii_cli.trust.asks import Ask, Kind

PLAN = BATCH_FILE
QUERIES = "queries.jsonl"
PROOF = "proof"
"""Of the home that pinned the plan, over all else that it and the queries say."""
MOST_SESSIONS = 1_000_000
_LARGEST_PLAN = 16 << 20
_LONGEST_QUERY = 32 << 20

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
    allowed: list[tuple[str, str]] = field(default_factory=list)
    """What the user allowed of what the queries ask for: kinds and values of `Ask`s."""

    @property
    def asks(self) -> frozenset[Ask]:
        """What was allowed."""
        return frozenset(Ask(cast(Kind, kind), value) for kind, value in self.allowed)

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


class Pinned(NamedTuple):
    """What a batch's folder says that there is to be run."""

    plan: Plan
    queries: list[Query]
    own: bool
    """This home wrote it, and nobody else changed it."""


def pin(folder: Path, plan: Plan, queries: Sequence[Query], key: HomeKey) -> None:
    """Write the plan and its queries down, with the home's proof. Raises `RecordingFailed`."""
    body, lines = asdict(plan), encode_queries(queries)
    sealed = body | {PROOF: key.prove("batch", _canonical(body), lines)}
    replace_file(folder, QUERIES, lines)
    replace_file(folder, PLAN, json.dumps(sealed, indent=2).encode() + b"\n")


def load_pinned(folder: Path, key: HomeKey | None = None) -> Pinned:
    """Return what a folder's batch pinned, and whether it was this home. Raises `UsageError`."""
    if not is_batch(folder):
        raise UsageError(
            f"{folder} is no batch's folder (it has no {PLAN}): begin one with "
            f"`sii batch FILE --out {folder}`."
        )
    refuse_links(folder)
    name = PLAN
    try:
        body = json.loads(read_file(folder, PLAN, most=_LARGEST_PLAN))
        proof = str(body.pop(PROOF, ""))
        plan = TypeAdapter(Plan).validate_json(_canonical(body), strict=True)
        _check(plan)
        name = QUERIES
        with open(open_file(folder, QUERIES), "rb") as file:
            lines = list(_lines(file))
        queries = [Query.model_validate_json(line) for line in lines]
        if _count(plan, queries) > MOST_SESSIONS:
            raise ValueError(f"more than {MOST_SESSIONS:,} sessions")
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror}.") from error
    except (*MALFORMED, AttributeError, UsageError) as error:
        raise UsageError(
            f"{folder / name} is damaged: put it back as it was, or begin another batch with "
            "`sii batch FILE --out DIR`."
        ) from error
    own = key is not None and key.proves(proof, "batch", _canonical(body), b"".join(lines))
    return Pinned(plan, queries, own)


def is_sealed(folder: Path) -> bool:
    """Tell whether a home has put its proof to a plan. Raises `OSError`, `UsageError`."""
    try:
        return PROOF in json.loads(read_file(folder, PLAN, most=_LARGEST_PLAN))
    except (*MALFORMED, TypeError) as error:
        raise UsageError(f"{folder / PLAN} is damaged.") from error


def refuse_links(folder: Path) -> None:
    """Raise `UsageError` where a batch's folder holds a link: it would lead its files elsewhere."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise UsageError(
                    f"{entry.path} is a link, and nothing is read or written through it: put the "
                    "file or the folder itself there, or remove it."
                )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in iter(partial(file.readline, _LONGEST_QUERY), b""):
        if len(line) == _LONGEST_QUERY:
            raise ValueError("a line without an end")
        yield line


def _count(plan: Plan, queries: Sequence[Query]) -> int:
    variants = math.prod(len(values) for values in plan.vary.values())
    return variants * plan.attempts * max(1, len(queries))  # no query: the variants are many still


def load_plan(folder: Path) -> tuple[Plan, list[Query]]:
    """Return what a folder's batch pinned, to be looked at. Raises `UsageError`."""
    return load_pinned(folder, None)[:2]


def _canonical(body: dict[str, Any]) -> bytes:
    """Return what a plan says, the same bytes however it is written down."""
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _check(plan: Plan) -> None:
    """Raise `ValueError`, `UsageError` for a plan that `sii batch` would never make."""
    if plan.attempts < 1 or plan.feedback_rounds < 0 or not all(plan.vary.values()):
        raise ValueError("a number is out of range")
    for name, values in plan.vary.items():
        for value in values:
            check_varied(name, value)


def is_batch(folder: Path) -> bool:
    """Tell whether a batch has been begun in the folder."""
    return os.path.lexists(folder / PLAN)


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
