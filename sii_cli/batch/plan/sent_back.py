"""Finds the sessions that reviewers sent back, and where a batch continues each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from recordings.errors import UNREADABLE
from recordings.events import ModelRequest, ModelResponse, RoundEnd, ToolCall, UserMessage
from recordings.index.find import Filter, find_in
from recordings.reviews.review import Review, StepReview
from recordings.reviews.reviews import counted_reviews
from recordings.storage.log import read_events, recording_hash
from recordings.store.collection import BATCHES, home_of
from sii_cli.batch.plan.pinned import is_batch, load_pinned
from sii_cli.batch.sent_back_step import SentBackStep
from sii_cli.config.home_key import origin_here, reading_key, review_keys
from sii_cli.config.settings import find_home, find_key_home
from sii_cli.data_sets.data_set import first_change
from sii_cli.data_sets.registry import find_data_sets
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.filters import open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import warn
from sii_cli.queries.queries import GitWorkspace, Query
from sii_cli.queries.validate import ValidatedFile, allowed_sources, check_outside
from sii_cli.queries.workspaces.repositories import is_remote, local_path, path_from

_WRONG = "wrong"
"""The flag of a step that was sent back."""


@dataclass(frozen=True, slots=True)
class SentBackSessions:
    """What a batch is to continue: a query and a place for each session."""

    file: ValidatedFile
    steps: dict[str, SentBackStep]


@dataclass(frozen=True, slots=True)
class _Session:
    query: Query
    """With the reviewer's words; paths are absolute."""
    base: Path
    """Folder of its query file."""
    step: SentBackStep


def find_sent_back() -> SentBackSessions:
    """Find the sessions whose standing is `needs_work` because a step of them was sent back.

    What a batch continues already is left out. Raises `UsageError` where there is none,
    `SiiError`, `RecordingError`.
    """
    found, continued = list[_Session](), set(_continued())
    why_unusable = cache(_why_unusable)
    with open_indexes() as indexes:
        needing = find_in(indexes, Filter(approval="needs_work"), protocol=load_protocol())
    for folder in sorted(one.summary.folder for one in needing):
        try:
            if (folder.name, recording_hash(folder)) not in continued:
                for session in _sent_back(folder):
                    _check(session, why_unusable)
                    found.append(session)
        except (SiiError, *UNREADABLE) as error:
            warn(f"{folder.name} is left out: {error}")
    if not found:
        raise UsageError(
            "No session waits to be continued: `s` in `sii review` sends one back from a step."
        )
    bases = {one.base for one in found}
    base = bases.pop() if len(bases) == 1 else find_home(os.environ)
    queries = tuple(one.query for one in found)
    file = ValidatedFile(base / "sent-back", queries, allowed_sources(queries, base), ())
    return SentBackSessions(file, {one.query.id: one.step for one in found})


def _check(session: _Session, why_unusable: Callable[[str], str | None]) -> None:
    """Raise `UsageError` for a session without which a batch of the others can begin."""
    queries = (session.query,)
    sources = allowed_sources(queries, session.base)
    check_outside(queries, sources, session.base)
    if why := next(filter(None, map(why_unusable, session.query.data)), None):
        raise UsageError(why)


def _why_unusable(data_set: str) -> str | None:
    """Return why a data set cannot be shown, or `None`. Blocks."""
    try:
        return first_change(find_data_sets(find_key_home(os.environ), (data_set,)))
    except UsageError as error:
        return str(error)


def _continued() -> Iterator[tuple[str, str]]:
    """Yield the ids and hashes of the recordings that batches of this home continue."""
    batches = find_home(os.environ) / BATCHES
    for folder in sorted(batches.iterdir()) if batches.is_dir() else ():
        if is_batch(folder) and not folder.is_symlink():
            try:
                plan = load_pinned(folder).plan
            except UsageError as error:
                warn(str(error))
                continue
            yield from ((name, step.sha256) for name, step in plan.sent_back.items())


def _sent_back(folder: Path) -> Iterator[_Session]:
    """Yield a session if a step of it was sent back. Raises `SiiError`, `RecordingError`."""
    sha256 = recording_hash(folder)
    reviews = counted_reviews(folder, review_keys(folder))
    review = next((one for one in reversed(reviews) if _sends_back(one, sha256)), None)
    if review is None:
        return
    if origin_here(folder) == "foreign":
        raise SiiError(
            f"this home cannot prove that it made it: `sii trust {folder.name}` trusts it."
        )
    wrong = min(_wrong_steps(review), key=lambda one: one.seq)
    place = _find_place(folder, wrong.seq)
    query, base = _query_of(folder)
    changes = {
        "id": folder.name,
        "query": (wrong.comment or review.note).replace("\0", ""),
        "followups": query.followups[max(0, place.round - 1) :],
        "workspace": _absolute(query, base),
    }
    step = SentBackStep(
        str(folder), sha256, place.at, place.files_at, place.response, review.reviewer
    )
    yield _Session(query.model_copy(update=changes), base, step)


def _sends_back(review: Review, sha256: str) -> bool:
    is_current = review.verdict == "needs_work" and review.sha256 == sha256
    return is_current and bool(_wrong_steps(review))


def _wrong_steps(review: Review) -> list[StepReview]:
    return [one for one in review.steps if _WRONG in one.flags and (one.comment or review.note)]


@dataclass(slots=True)
class _Place:
    """Where to continue; -1: not found yet."""

    at: int = -1
    files_at: int = -1
    response: int = -1
    round: int = 1


def _find_place(folder: Path, wrong: int) -> _Place:
    """Return where to continue before the step that event `wrong` is in.

    The snapshot of the step before may be recorded after the request. Raises `SiiError`,
    `RecordingError`.
    """
    place, requested = _Place(), 0
    for event in read_events(folder):
        data = event.data
        if place.response >= 0:
            if isinstance(data, ToolCall | RoundEnd | UserMessage):
                break
            place.files_at = event.seq
        elif isinstance(data, UserMessage):
            place.round = data.round
        elif isinstance(data, ModelRequest) and data.step != requested:
            place.at, requested = event.seq - 1, data.step
        elif isinstance(data, ModelResponse) and event.seq >= wrong:
            place.response = place.files_at = event.seq
    if place.response < 0 or place.at < 0:
        raise SiiError(f"event {wrong}, which was sent back, is in no step of the model.")
    return place


def _query_of(folder: Path) -> tuple[Query, Path]:
    """Return a session's query and the folder of its paths; at the prompt there was none.

    Raises `UsageError`.
    """
    batch = home_of(folder)
    if not is_batch(batch):
        return Query(id=folder.name, query="-"), find_home(os.environ)
    pinned = load_pinned(batch, reading_key(batch))
    start = next(read_events(folder)).data
    by_id = {query.id: query for query in pinned.queries}
    names = (folder.name, getattr(start, "query", None) or "")
    query = next((by_id[name] for name in names if name in by_id), None)
    if query is None or not pinned.own:
        raise UsageError(f"the batch in {batch} does not have its query any more.")
    return query, Path(pinned.plan.query_folder)


def _absolute(query: Query, base: Path) -> str | GitWorkspace | None:
    match query.workspace:
        case GitWorkspace(git=git) as workspace:
            path = git if is_remote(git) else str(local_path(git, base))
            return workspace.model_copy(update={"git": path})
        case str(name):
            return str(path_from(base, name))
        case None:
            return None
