"""`sii prune`: delete what no recording refers to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sii_cli.config.settings import find_home
from sii_cli.errors import DONE, FAILED
from sii_cli.options.homes import home_option
from sii_cli.options.recordings import warn
from sii_cli.options.settings import example
from sii_cli.render.figures import counted, size

if TYPE_CHECKING:
    from sii_cli.workspace.prune import PruneReport


@click.command(
    "prune",
    help="Delete what no recording refers to, in the home and in its batches: snapshots of "
    "workspaces that none names (their recordings were deleted, their sessions died), the "
    "workspaces of forks that are gone, and what killed processes left. Recordings stay, and "
    "sessions may run meanwhile. Exits with 1 when something could not be deleted, and says why.",
    epilog=example("sii prune --dry-run", "sii prune", "SII_HOME=runs/monday sii prune"),
)
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def command(dry_run: bool, as_json: bool) -> int:
    """Prune."""
    from sii_cli.workspace.prune import prune_collection

    freed = prune_collection(find_home(os.environ), dry_run=dry_run)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **asdict(freed)}))
    else:
        click.echo(_sentence(freed, dry_run))
        for reason in freed.kept:
            warn(reason)
    return FAILED if freed.kept else DONE


def _sentence(freed: PruneReport, dry_run: bool) -> str:
    counts = (
        (freed.contents, "content of snapshots", "contents of snapshots"),
        (freed.left_behind, "file of a killed process", "files of killed processes"),
        (len(freed.forks), "fork's workspace", "forks' workspaces"),
        (len(freed.empty), "recording without an event", "recordings without an event"),
    )
    parts = [counted(*each) for each in counts if each[0]]
    if not parts and not freed.bytes:
        return "Nothing is left over."
    said = f"{'Would free about' if dry_run else 'Freed'} {size(freed.bytes)}"
    return f"{said}: {', '.join(parts)}." if parts else f"{said}."
