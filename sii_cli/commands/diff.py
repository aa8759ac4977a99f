"""`sii diff`: what a step, or the whole session, changed in the workspace."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.errors import UsageError
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one, warn, warn_when_void
from sii_cli.options.settings import example

if TYPE_CHECKING:
    from recordings.events import Snapshot
    from sandbox.snapshots import FileDiff


@click.command(
    "diff",
    help="Print what a session changed in its workspace: as a unified diff from its first "
    f"snapshot to its last, or of one step. {REFS_HELP}",
    epilog=example("sii diff last", "sii diff last --step 3", "sii diff last --stat"),
)
@click.argument("ref", metavar="ID", default="last")
@click.option("--step", type=click.IntRange(min=1), metavar="N", help="Of this step alone.")
@click.option("--stat", is_flag=True, help="Only which files, step by step.")
@homes_option
def command(ref: str, step: int | None, stat: bool) -> None:
    """Print what changed."""
    from sii_cli.workspace.diffs import diffs_between

    folder = find_one(ref)
    warn_when_void(folder)
    kept = _snapshots(folder)
    if stat:
        for snapshot in kept:
            if step is None or snapshot.step == step:
                _print_stat(snapshot)
        return
    diffs = asyncio.run(diffs_between(folder, *_trees(kept, step)))
    for diff in diffs:
        _print_diff(diff)
    if not diffs:
        what = folder.name if step is None else _step_of(folder, step)
        warn(f"{what} changed no file of the workspace.")


def _step_of(folder: Path, step: int) -> str:
    """Name a step that changed nothing. Raises `UsageError` where it is none."""
    from recordings.store.summary import summarise

    last = summarise(folder).steps
    if step > last:
        raise UsageError(f"{folder.name} has no step {step}: its last is {last}.")
    return f"Step {step} of {folder.name}"


def _snapshots(folder: Path) -> list[Snapshot]:
    from recordings.events import Snapshot
    from recordings.store.workspaces import snapshots_of

    kept = [event.data for event in snapshots_of(folder) if isinstance(event.data, Snapshot)]
    if not kept:
        raise UsageError(f"{folder.name} names no snapshot of its workspace.")
    return kept


def _trees(kept: list[Snapshot], step: int | None) -> tuple[str, str]:
    """Return the trees to compare; the same one twice for a step that changed nothing."""
    if step is None:
        return kept[0].tree, kept[-1].tree
    for before, after in pairwise(kept):
        if after.step == step and after.cause == "step":
            return before.tree, after.tree
    return kept[-1].tree, kept[-1].tree


def _print_stat(snapshot: Snapshot) -> None:
    from sii_cli.render.changes import change_lines

    who = f"{snapshot.cause} {snapshot.step}" if snapshot.cause == "step" else snapshot.cause
    lines = change_lines(snapshot, most=len(snapshot.changes))
    click.echo("\n".join([who, *lines]))


def _print_diff(diff: FileDiff) -> None:
    """Print one path's diff; what came without a text (a directory, an empty file) by name."""
    from sandbox.snapshots import quoted
    from sii_cli.text.sanitise import sanitise_written

    if not diff.text:
        click.echo(f"{diff.change.kind}: {quoted(diff.change.path)}")
    for line in sanitise_written(diff.text).splitlines():
        click.echo(click.style(line, fg=_colour(line)))


def _colour(line: str) -> str | None:
    if line.startswith(("+++", "---")):
        return None
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
