"""`sii verify`: check that recordings are complete and unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.errors import DONE, FAILED
from sii_cli.options.recordings import REFS_HELP, find_all, refs_option, warn_when_void
from sii_cli.options.settings import example

if TYPE_CHECKING:
    from sandbox.snapshots import SnapshotStore
    from sandbox.snapshots.completeness import Completeness

MOST_PROBLEMS = 20
"""Problems of one recording that are printed one by one."""


@click.command(
    "verify",
    help="Check that recordings are complete and unchanged: every line and the chain, "
    f"the files beside them, the token ids counted, what was sent. {REFS_HELP} "
    "Exits with 1 when one is broken, and says where.",
    epilog=example("sii verify last", "sii verify 20261123-2049 20261124", "sii verify --all"),
)
@refs_option
def command(refs: tuple[str, ...], everything: bool) -> int:
    """Verify recordings."""
    folders = find_all(refs, everything)
    with closing(_Snapshots()) as snapshots:
        whole = sum([_verify(folder, snapshots) for folder in folders])
    if len(folders) != 1:
        click.echo(f"{whole} of {len(folders)} recordings are whole.")
    return DONE if whole == len(folders) else FAILED


class _Snapshots:
    """The stores of snapshots of the home and of its batches; each is opened once."""

    def __init__(self) -> None:
        self._found: dict[Path, tuple[SnapshotStore, Completeness]] = {}

    def of(self, folder: Path) -> Completeness:
        """Return what checks the snapshots of a recording."""
        from recordings.store.collection import home_of
        from sii_cli.workspace.history import snapshot_store

        home = home_of(folder)
        if home not in self._found:
            store = snapshot_store(home)
            self._found[home] = (store, store.completeness())
        return self._found[home][1]

    def close(self) -> None:
        """Close the stores."""
        for store, _ in self._found.values():
            store.close()


def _verify(folder: Path, snapshots: _Snapshots) -> bool:
    """Verify one recording, say what was found, and return whether it is whole."""
    from recordings.verify import describe, verify
    from sii_cli.render.figures import size
    from sii_cli.text.sanitise import one_line

    result = verify(folder)
    facts = (
        f"{result.lines:,} lines, {result.requests:,} requests, {result.blobs:,} blobs, "
        f"{result.ids:,} token ids, {size(result.bytes)}"
    )
    click.echo(f"{folder.name}  {'whole' if result.whole else 'BROKEN'}  {facts}")
    for problem in result.problems[:MOST_PROBLEMS]:
        click.echo(f"  {one_line(describe(problem), 300)}")
    if len(result.problems) > MOST_PROBLEMS:
        click.echo(f"  … and {len(result.problems) - MOST_PROBLEMS:,} more problems")
    for note in result.notes:
        click.echo(f"  note: {one_line(note, 300)}")
    _verify_snapshots(folder, snapshots)
    for note in _whose(folder):
        click.echo(f"  note: {note}")
    warn_when_void(folder)
    return result.whole


def _whose(folder: Path) -> Iterator[str]:
    """Say what the chain proves and what not: who wrote the recording and its reviews."""
    from recordings.errors import UNREADABLE, why_damaged
    from recordings.reviews.reviews import counted_reviews, read_reviews
    from sii_cli.config.home_key import origin_here, review_keys

    yield {
        "own": "made by this home (its seal); the chain shows that nothing was changed since",
        "trusted": "you trusted it (`sii trust`); the chain shows that nothing was changed since",
        "foreign": "foreign (this home cannot prove that it made it): the chain shows that nothing "
        "was changed since it was written, not who wrote it",
    }[origin_here(folder)]
    try:
        reviews, own = (
            read_reviews(folder),
            counted_reviews(folder, review_keys(folder)),
        )
    except UNREADABLE as error:
        yield why_damaged(error)
        return
    if reviews:
        yield (
            f"{len(own):,} of {len(reviews):,} reviews count (written by this home, or signed "
            "with a key that it knows); whether one was removed is not shown"
        )


def _verify_snapshots(folder: Path, snapshots: _Snapshots) -> None:
    """Print which snapshots of the workspace are not whole: they have a store of their own.

    The recording is whole without them, but cannot be re-executed or forked with its files.
    """
    from recordings.errors import UNREADABLE
    from recordings.events import Snapshot
    from recordings.store.workspaces import snapshots_of
    from sandbox.snapshots import SnapshotError, quoted

    try:
        events = [event.data for event in snapshots_of(folder)]
        trees = {data.tree for data in events if isinstance(data, Snapshot)}
        lost = [path for tree in trees if (path := snapshots.of(folder).lost(tree)) is not None]
    except UNREADABLE:
        return  # printed above
    except SnapshotError as error:
        click.echo(f"  note: {error}")
        return
    if lost:
        click.echo(
            f"  note: of {len(trees):,} snapshots of the workspace {len(lost):,} are not whole in "
            f"the store of snapshots (lost: {quoted(lost[0])})"
        )
