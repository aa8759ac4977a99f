"""`sii list`: the recordings, the newest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Self

import click

from recordings.outcomes import OUTCOMES
from sii_cli.config.home_key import reading_key
from sii_cli.config.homes import key_home_of
from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol, protocol_file
from sii_cli.options.recordings import open_collections, warn
from sii_cli.options.settings import example
from sii_cli.options.standings import STANDINGS
from sii_cli.options.times import ago
from sii_cli.options.viewer import viewer_of

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording
    from recordings.store.store import RecordingStore
    from recordings.store.summary import RecordingSummary
    from recordings.trust.home_key import HomeKey

NEWEST = 20
LONGEST_TASK, SHORTEST_TASK = 60, 20
LONGEST_BATCH = 24
SORTS = ("started", "tokens", "steps", "rounds", "duration", "id")


@click.command(
    "list",
    help="List the recordings, the newest first.",
    epilog=example(
        "sii list",
        "sii list --all --outcome solved --tool python --min-steps 5 --sort tokens",
        "sii list --outcome unsolved --min-score 0.5",
        "sii list --since 7d --approval unreviewed",
        "sii list --approval disputed",
        "sii list --error tool_infra",
        "sii list --json | jq .id",
    ),
)
@click.option("--all", "everything", is_flag=True, help=f"All of them, not the {NEWEST} first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--sort", type=click.Choice(SORTS), default="started", help="The largest first.")
@click.option("--reverse", is_flag=True, help="The smallest or the oldest first.")
@filter_options
def command(everything: bool, as_json: bool, sort: Any, reverse: bool, **options: Any) -> None:
    """List the recordings."""
    collections = open_collections()
    found = _find(options, sort, reverse, None if everything else NEWEST)
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    origin = OriginOf() if found else None
    columns = Columns() if as_json else Columns.of(found)
    for one in found:
        assert origin is not None
        line = json.dumps(_facts(one, origin)) if as_json else line_of(one, width, origin, columns)
        click.echo(line)
    if origin is not None and origin.foreign and not as_json:
        click.echo(
            "(foreign: this home cannot prove that it made them; `sii trust ID` for those "
            "that you trust, with --reviews to count their reviews)",
            err=True,
        )
    if not as_json:
        _tell_unnamed([store for one in collections for store in one.stores])
    if not found and not as_json:
        none = f"There are no recordings in {collections[0].own.root} yet: run `sii` first."
        there = any(one.has_recordings() for one in collections)
        click.echo("No recording matches." if there else none, err=True)
    elif len(found) == NEWEST and not everything:
        which = "newest" if sort == "started" and not reverse else "first"
        click.echo(f"(the {which} ones; --all lists them all)", err=True)


def _tell_unnamed(stores: list[RecordingStore]) -> None:
    """Say which folders have a log but cannot be listed."""
    from sii_cli.render.figures import counted

    for store in stores:
        if unnamed := store.unnamed():
            warn(
                f"Not listed: {counted(len(unnamed), 'folder', 'folders')} in {store.root} with a "
                f"name that is not an id, such as {min(unnamed)!r}: rename it with letters, digits "
                "and ._-"
            )


def _find(
    options: dict[str, Any], sort: Any, reverse: bool, limit: int | None
) -> list[FoundRecording]:
    from recordings.index.find import find_in

    where = make_filter(options)
    with open_indexes() as indexes:
        find_by = partial(find_in, indexes, where, sort=sort, ascending=reverse, limit=limit)
        if (protocol := protocol_file()) is not None:
            return find_by(protocol=protocol, viewer=viewer_of(protocol))
        found = find_by()
        # A setting of before matters to several reviewers alone, and settings are slow to read.
        if where.approval or any(len(one.reviewers) > 1 for one in found):
            found = find_by(protocol=load_protocol())
        return found


class OriginOf:
    """Whose recordings in a list are, by their heads alone."""

    def __init__(self) -> None:
        self._keys: dict[Path, HomeKey] = {}
        self.foreign = 0
        """Recordings of a list that are marked as foreign."""

    def __call__(self, found: FoundRecording) -> str:
        """Return `own`, `trusted` or `foreign`."""
        from recordings.trust.grants import is_granted
        from recordings.trust.origin import seems_own

        folder = found.summary.folder
        home = key_home_of(folder)
        if home not in self._keys:
            self._keys[home] = reading_key(folder)
        if seems_own(folder, self._keys[home], found.sha256 or ""):
            return "own"
        is_trusted = is_granted(home, "recording", folder.name, found.sha256 or "")
        return "trusted" if is_trusted else "foreign"


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of the columns that depend on what is listed."""

    outcome: int = 11
    state: int = 0
    """0: none, because every recording is `ended`."""

    @classmethod
    def of(cls, found: Sequence[FoundRecording]) -> Self:
        """Return the columns of a list."""
        states = [len(state) for one in found if (state := one.summary.state) != "ended"]
        outcomes = (len(_outcome(one.summary)) for one in found)
        return cls(max((cls().outcome, *outcomes)), max(states, default=0))


def _outcome(summary: RecordingSummary) -> str:
    """Return the outcome and the score, as they are listed."""
    outcome = summary.session_outcome or "–"
    if outcome not in OUTCOMES:  # the word of a foreign recording
        from sii_cli.text.sanitise import one_line

        outcome = one_line(outcome, 20)
    return outcome if summary.score is None else f"{outcome} {summary.score:.2f}"


def line_of(
    found: FoundRecording,
    width: int | None,
    origin: OriginOf | None = None,
    columns: Columns = Columns(),
) -> str:
    """Return a recording's line; in a terminal of `width` columns its task is cut to fit, or
    stands below where it would have no room.
    """
    from sii_cli.render.figures import counted
    from sii_cli.text.sanitise import one_line

    summary = found.summary
    steps = counted(summary.steps, "step", "steps")
    state = "" if summary.state == "ended" else summary.state
    shown = f"{_outcome(summary):<{columns.outcome}}  "
    if columns.state:
        shown += f"{state:<{columns.state}}  "
    facts = f"{summary.id}  {ago(summary.started):>10}  {shown}{steps:>9}"
    stands = _standing(found)
    if origin is not None and summary.mode != "imported" and origin(found) == "foreign":
        origin.foreign += 1
        stands = f"foreign: {stands}"
    if found.uncounted:
        stands = f"{stands}{counted(found.uncounted, 'review', 'reviews')} not counted: "
    if found.outages:
        stands = f"{counted(found.outages, 'outage', 'outages')}: {stands}"
    if found.batch:
        stands = f"[{one_line(found.batch, LONGEST_BATCH)}] {stands}"
    task = stands + one_line(summary.first_message or summary.why, LONGEST_TASK)
    if width is None:
        return f"{facts}  {task}"
    from sii_cli.render.wrap import cut  # which a pipe does not wait for

    room = width - len(facts) - 2
    if room < SHORTEST_TASK:
        return f"{facts}\n  {cut(task, width - 2)}"
    return f"{facts}  {cut(task, room)}"


def _standing(found: FoundRecording) -> str:
    label = STANDINGS[found.approval].label
    dissent = f" ({len(found.dissent)} of another opinion)" if found.dissent else ""
    return f"{label}{dissent}: " if label else ""


def _facts(found: FoundRecording, origin: OriginOf) -> dict[str, Any]:
    summary = found.summary
    return {
        "id": summary.id,
        "outcome": summary.session_outcome,
        "state": summary.state,
        "score": summary.score,
        "reason": summary.reason,
        "check": found.check and asdict(found.check),
        "rubric": found.rubric,
        "excluded_events": found.excluded,
        "status": summary.status,
        "started": summary.started,
        "mode": summary.mode,
        "model": summary.model,
        "rounds": summary.rounds,
        "steps": summary.steps,
        "tokens": summary.tokens,
        "seconds": round(summary.duration, 3),
        "task": summary.first_message,
        "folder": str(summary.folder),
        "origin": origin(found),
        "approval": found.approval,
        "reviewers": found.reviewers,
        "dissent": found.dissent,
        "uncounted_reviews": found.uncounted,
        "tags": found.tags,
        "tool_infra": found.outages,
        "doubts": found.doubts,
        "query": found.query,
        "batch": found.batch,
        "parent": found.parent,
    }
