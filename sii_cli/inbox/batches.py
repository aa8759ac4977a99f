"""The batches that parked sessions are of, opened to continue them with the batch's settings."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from recordings.events import SessionStart
from sii_cli.batch.budget import BatchBudget
from sii_cli.batch.options import BatchOptions, Selection
from sii_cli.batch.plan.opening import open_batch
from sii_cli.batch.plan.pinned import load_pinned
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.served_model import ModelIdentity
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.home_key import reading_key
from sii_cli.errors import SiiError
from sii_cli.queries.queries import Query


@dataclass(frozen=True, slots=True)
class OpenedBatch:
    """A batch whose sessions can be continued."""

    executor: LocalExecutor
    queries: dict[str, Query]

    def attempt(self, start: SessionStart) -> Attempt:
        """Return the attempt that a session is of. Raises `SiiError`."""
        query = self.queries.get(start.query or "")
        if query is None:
            raise SiiError(
                f"The batch has no query {start.query!r} any more: `sii inbox done` ends its "
                "sessions."
            )
        return Attempt(query, start.attempt or 1, start.variant)


class Batches:
    """Opens each batch once."""

    def __init__(self) -> None:
        self._opened: dict[Path, OpenedBatch] = {}
        self._lock = Lock()

    def open(self, folder: Path, start: SessionStart, began: float) -> OpenedBatch:
        """Open the batch in a folder, to continue a session that began so, and then. Blocks.

        Raises `SiiError`, `UsageError`, `RecordingError`.
        """
        with self._lock:
            if folder not in self._opened:
                self._opened[folder] = _open(folder, start, began)
            return self._opened[folder]

    async def aclose(self) -> None:
        """Release what the sessions share."""
        for batch in self._opened.values():
            await batch.executor.aclose()


def _open(folder: Path, start: SessionStart, began: float) -> OpenedBatch:
    """Open a batch of this home; one from elsewhere would ask for grants."""
    if not load_pinned(folder, reading_key(folder)).own:
        raise SiiError(
            f"This home did not begin the batch in {folder}: `sii batch --resume {folder}` asks "
            "for what it requires, and makes it this home's."
        )
    with redirect_stderr(io.StringIO()):  # what is lowered was said when the batch began
        batch = open_batch(_options(folder), None)
    model = {start.variant.get("model"): ModelIdentity(start.model, start.context_length)}
    known = {} if batch.plan.changed > began else model
    parts = SessionParts(batch.settings, batch.plan, known)
    return OpenedBatch(LocalExecutor(parts), {query.id: query for query in batch.queries})


def _options(folder: Path) -> BatchOptions:
    """Return the options that resume a batch as it was begun."""
    return BatchOptions(
        out=None,
        resume=folder,
        accept_changes=False,
        attempts=None,
        concurrency=None,
        gpus=None,
        vary={},
        feedback_rounds=None,
        simulated_user=None,
        feedback=None,
        infra_retries=0,
        budget=BatchBudget(),
        ray=None,
        selection=Selection(frozenset(), 1, "shortest"),
        allow=frozenset(),
    )
