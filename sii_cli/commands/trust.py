"""`sii trust`: a yes to a recording that somebody else made."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from sii_cli.config.settings import find_key_home
from sii_cli.errors import DONE, FAILED, UsageError
from sii_cli.options.recordings import REFS_HELP, complain, find_all, refs_option
from sii_cli.options.settings import example


@click.command(
    "trust",
    help="Say yes to recordings that this home did not make, or cannot prove that it did: their "
    "directory may be worked in, and calls that they left are run when they are gone on with. "
    "What each names is printed first. The yes holds for its content as it is; gone on with, it "
    f"becomes this home's. {REFS_HELP}",
    epilog=example("sii trust 20261123-2049", "sii trust --all --reviews --yes"),
)
@refs_option
@click.option(
    "--reviews",
    is_flag=True,
    help="Count their reviews too, whoever wrote them; of "
    "people whose keys are known (`sii people`) only signed ones count.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(refs: tuple[str, ...], everything: bool, reviews: bool, yes: bool) -> int:
    """Trust recordings."""
    if not yes and not sys.stdin.isatty():
        raise UsageError("There is no terminal to ask at: say --yes when you have read them.")
    done = [_trust(folder, reviews=reviews, yes=yes) for folder in find_all(refs, everything)]
    return DONE if all(done) else FAILED


def _trust(folder: Path, *, reviews: bool, yes: bool) -> bool:
    """Trust one recording; return false for one that cannot be, or that was refused."""
    from recordings.errors import RecordingError
    from recordings.reviews.reviews import vouch
    from recordings.trust.grants import grant
    from recordings.trust.origin import origin_of
    from sii_cli.config.home_key import review_keys, writing_key
    from sii_cli.options.recorded_names import named_by

    home = find_key_home(os.environ)
    try:
        named = named_by(folder)
        origin = origin_of(folder, home)
        if origin == "foreign" and not named.whole:
            complain(f"{folder.name} is broken, so there is nothing to trust: see `sii verify`.")
            return False
        click.echo("\n".join([folder.name, *(f"  {line}" for line in named.lines)]))
        if not yes and not click.confirm("Trust it?"):
            return False
        writing_key()
        if origin == "foreign":
            grant(home, "recording", folder.name, named.head)
        if reviews:
            vouch(folder, review_keys(), for_signed=True)
    except RecordingError as error:
        complain(str(error))
        return False
    click.echo(f"{folder.name}  {'is yours already' if origin == 'own' else 'is trusted'}")
    return True
