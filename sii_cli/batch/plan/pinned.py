"""A batch's folder: its plan and queries as they were pinned, with the home's proof."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pydantic import TypeAdapter

from recordings.errors import MALFORMED
from recordings.storage.files import replace_file
from recordings.storage.opening import open_file, read_file
from recordings.trust.home_key import HomeKey
from sii_cli.batch.plan.plan import BatchPlan, encode_queries
from sii_cli.batch.variants import check_variant
from sii_cli.config.settings import BATCH_FILE, BATCH_QUERIES
from sii_cli.errors import UsageError
from sii_cli.queries.queries import Query

PROOF = "proof"
"""Field of `batch.json`: the home's proof over all else in it and over the queries."""
MOST_ATTEMPTS = 1_000_000
_LARGEST_PLAN = 16 << 20
_LONGEST_QUERY = 32 << 20
_BEYOND = 1e11
"""Every time in seconds is below it."""


class PinnedBatch(NamedTuple):
    """What a batch's folder says is to be run."""

    plan: BatchPlan
    queries: list[Query]
    own: bool
    """This home wrote it, and nobody else changed it."""


def pin(folder: Path, plan: BatchPlan, queries: Sequence[Query], key: HomeKey) -> None:
    """Write the plan and its queries, with the home's proof. Raises `RecordingFailed`."""
    body, lines = asdict(plan), encode_queries(queries)
    sealed = body | {PROOF: key.prove("batch", _canonical(body), lines)}
    replace_file(folder, BATCH_QUERIES, lines)
    replace_file(folder, BATCH_FILE, json.dumps(sealed, indent=2).encode() + b"\n")


def load_pinned(folder: Path, key: HomeKey | None = None) -> PinnedBatch:
    """Return what a folder's batch pinned, and whether this home did. Raises `UsageError`.

    Without a key nothing is own: enough to look at a batch.
    """
    if not is_batch(folder):
        raise UsageError(
            f"{folder} is not the folder of a batch (it has no {BATCH_FILE}): begin one with "
            f"`sii batch FILE --out {folder}`."
        )
    refuse_links(folder)
    name = BATCH_FILE
    try:
        body = json.loads(read_file(folder, BATCH_FILE, most=_LARGEST_PLAN))
        proof = str(body.pop(PROOF, ""))
        plan = TypeAdapter(BatchPlan).validate_json(_canonical(body), strict=True)
        _check(plan)
        name = BATCH_QUERIES
        with open(open_file(folder, BATCH_QUERIES), "rb") as file:
            lines = list(_lines(file))
        queries = [Query.model_validate_json(line) for line in lines]
        if _size(plan, queries) > MOST_ATTEMPTS:
            raise ValueError(f"more than {MOST_ATTEMPTS:,} sessions")
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror}.") from error
    except (*MALFORMED, AttributeError, UsageError) as error:
        raise UsageError(
            f"{folder / name} is damaged: put it back as it was, or begin another batch with "
            "`sii batch FILE --out DIR`."
        ) from error
    own = key is not None and key.proves(proof, "batch", _canonical(body), b"".join(lines))
    return PinnedBatch(plan, queries, own)


def is_batch(folder: Path) -> bool:
    """Tell whether a batch was begun in the folder."""
    return os.path.lexists(folder / BATCH_FILE)


def check_is_new(folder: Path) -> None:
    """Raise `UsageError` for a folder in which a batch was begun."""
    if is_batch(folder):
        raise UsageError(f"{folder} holds a batch: resume it with `sii batch --resume {folder}`.")


def has_proof(folder: Path) -> bool:
    """Tell whether some home proved the plan. Raises `OSError`, `UsageError`."""
    try:
        return PROOF in json.loads(read_file(folder, BATCH_FILE, most=_LARGEST_PLAN))
    except (*MALFORMED, TypeError) as error:
        raise UsageError(f"{folder / BATCH_FILE} is damaged.") from error


def refuse_links(folder: Path) -> None:
    """Raise `UsageError` if a batch's folder holds a link: it would lead its files elsewhere."""
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


def _size(plan: BatchPlan, queries: Sequence[Query]) -> int:
    """Return how many attempts there are, without making the variants: they may be too many."""
    variants = math.prod(len(values) for values in plan.vary.values())
    return variants * plan.attempts * max(1, len(queries))


def _canonical(body: dict[str, Any]) -> bytes:
    """Return a plan's content as the same bytes, however the file writes it."""
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def _check(plan: BatchPlan) -> None:
    """Raise `ValueError` or `UsageError` for a plan that `sii batch` would never write."""
    if not (0 <= plan.changed < _BEYOND):
        raise ValueError("a time is out of range")
    if plan.attempts < 1 or plan.feedback_rounds < 0 or not all(plan.vary.values()):
        raise ValueError("a number is out of range")
    for name, values in plan.vary.items():
        for value in values:
            check_variant(name, value)
