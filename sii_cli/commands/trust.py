"""`sii trust`: trust foreign recordings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.config.homes import key_home_of
from sii_cli.errors import DONE, FAILED, UsageError
from sii_cli.options.recordings import REFS_HELP, find_all, refs_option, warn
from sii_cli.options.settings import example

if TYPE_CHECKING:
    from recordings.trust.origin import RecordingOrigin


@click.command(
    "trust",
    help="Trust recordings that this home cannot prove to have made: when they are resumed, "
    "the session works in the directory that they name and runs the calls that they left. What "
    "each names is printed first, then one question is asked. The yes holds for the content as it "
    f"is now; a recording that is resumed becomes this home's. {REFS_HELP}",
    epilog=example(
        "sii trust 20261123-2049",
        "sii trust --all --reviews --home runs/monday",
    ),
)
@refs_option
@click.option(
    "--reviews",
    is_flag=True,
    help="Count their reviews too, by any reviewer; of "
    "people whose keys are known (`sii people`) only signed ones count.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(refs: tuple[str, ...], everything: bool, reviews: bool, yes: bool) -> int:
    """Trust recordings."""
    if not yes and not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask at: say --yes when you have read them.")
    folders = find_all(refs, everything)
    shown = [one for folder in folders if (one := _show(folder)) is not None]
    which = "it" if len(shown) == 1 else f"these {len(shown)} recordings"
    if not shown or not (yes or click.confirm(f"Trust {which}?")):
        return FAILED
    done = [_trust(one, reviews=reviews) for one in shown]
    return DONE if all(done) and len(done) == len(folders) else FAILED


@dataclass(frozen=True, slots=True)
class _Shown:
    """A recording whose names were printed."""

    folder: Path
    head: str
    origin: RecordingOrigin


def _show(folder: Path) -> _Shown | None:
    """Print what a recording names; None for one that cannot be trusted."""
    from recordings.errors import RecordingError
    from sii_cli.config.home_key import origin_here
    from sii_cli.options.recorded_names import named_by

    try:
        named = named_by(folder)
        origin = origin_here(folder)
    except RecordingError as error:
        warn(str(error))
        return None
    if origin == "foreign" and not named.whole:
        warn(f"{folder.name} is broken, so there is nothing to trust: see `sii verify`.")
        return None
    click.echo("\n".join([folder.name, *(f"  {line}" for line in named.lines)]))
    return _Shown(folder, named.head, origin)


def _trust(shown: _Shown, *, reviews: bool) -> bool:
    """Keep a yes to what was shown; return false where it cannot be kept."""
    from recordings.errors import RecordingError
    from recordings.reviews.reviews import vouch
    from recordings.trust.grants import grant
    from sii_cli.config.home_key import review_keys, writing_key

    folder = shown.folder
    try:
        writing_key(folder)
        if shown.origin == "foreign":
            grant(key_home_of(folder), "recording", folder.name, shown.head)
        if reviews:
            vouch(folder, review_keys(folder), for_signed=True)
    except RecordingError as error:
        warn(str(error))
        return False
    click.echo(f"{folder.name}  {'is yours already' if shown.origin == 'own' else 'is trusted'}")
    return True
