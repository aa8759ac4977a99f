"""`sii verify`: prove recordings whole, or say where they are not."""

from __future__ import annotations

from pathlib import Path

import click

from sii_cli.commands.options import example
from sii_cli.commands.recorded import REFS_HELP, find_all, refs_option, warn_when_void
from sii_cli.errors import DONE, FAILED

MOST_PROBLEMS = 20
"""Problems of one recording that are told one by one."""


@click.command(
    "verify",
    help="Prove recordings whole: every line and the chain, the files beside them, the token ids "
    f"counted, what was sent. {REFS_HELP} Exits with 1 when one is broken, and says where.",
    epilog=example("sii verify last", "sii verify 20261123-2049 20261124", "sii verify --all"),
)
@refs_option
def command(refs: tuple[str, ...], everything: bool) -> int:
    """Verify recordings."""
    folders = find_all(refs, everything)
    whole = sum([_verify(folder) for folder in folders])
    if len(folders) != 1:
        click.echo(f"{whole} of {len(folders)} recordings are whole.")
    return DONE if whole == len(folders) else FAILED


def _verify(folder: Path) -> bool:
    """Verify one recording, say what was found, and return whether it is whole."""
    from recordings.verify import describe, verify
    from sii_cli.render.sanitise import one_line

    result = verify(folder)
    facts = (
        f"{result.lines:,} lines, {result.requests:,} requests, {result.blobs:,} blobs, "
        f"{result.ids:,} token ids, {result.bytes / 1e6:,.1f} MB"
    )
    click.echo(f"{folder.name}  {'whole' if result.whole else 'BROKEN'}  {facts}")
    for problem in result.problems[:MOST_PROBLEMS]:
        click.echo(f"  {one_line(describe(problem), 300)}")
    if len(result.problems) > MOST_PROBLEMS:
        click.echo(f"  … and {len(result.problems) - MOST_PROBLEMS:,} more problems")
    for note in result.notes:
        click.echo(f"  note: {one_line(note, 300)}")
    warn_when_void(folder)
    return result.whole
