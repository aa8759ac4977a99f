"""`sii pack`: recordings made small, still read by every command; and back."""

from __future__ import annotations

from pathlib import Path

import click

from sii_cli.errors import DONE, FAILED
from sii_cli.options.recordings import REFS_HELP, find_all, refs_option, warn, warn_when_void
from sii_cli.options.settings import example


@click.command(
    "pack",
    help="Compress recordings that nobody writes to; every command reads them as before, and "
    f"resuming one unpacks it. {REFS_HELP}",
    epilog=example("sii pack last", "sii pack --all", "sii pack 20261123 --undo"),
)
@refs_option
@click.option("--undo", is_flag=True, help="Make packed recordings plain again.")
def command(refs: tuple[str, ...], everything: bool, undo: bool) -> int:
    """Pack recordings."""
    packed = [_pack(folder, undo) for folder in find_all(refs, everything)]
    return DONE if all(packed) else FAILED


def _pack(folder: Path, undo: bool) -> bool:
    """Pack one recording; one that cannot be packed keeps no other from it."""
    from recordings.errors import RecordingError
    from recordings.storage.pack import pack, unpack

    try:
        result = unpack(folder) if undo else pack(folder)
        warn_when_void(folder)
    except (RecordingError, OSError) as error:
        warn(str(error))
        return False
    click.echo(
        f"{folder.name}  {result.before / 1e3:>9,.1f} kB → {result.after / 1e3:>9,.1f} kB  "
        f"({result.after / max(1, result.before):.0%})"
    )
    return True
