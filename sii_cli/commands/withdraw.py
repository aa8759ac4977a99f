"""`sii withdraw`: a speaker takes the consent back, for all later exports."""

from __future__ import annotations

import os

import click

from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import open_stores
from sii_cli.options.settings import example


@click.command(
    "withdraw",
    help="Take the consent of a speaker back: no later export of this home has the work of NAME. "
    "Lists the exports, with their cards, that hold it already; what was handed on cannot be "
    "called back. Recordings stay; `/forget` at the prompt deletes one.",
    epilog=example("sii withdraw --speaker ada"),
)
@click.option("--speaker", required=True, metavar="NAME", help="Pseudonym of the speaker.")
def command(speaker: str) -> None:
    """Withdraw a speaker's consent."""
    from recordings.conversation.authors import authors_of
    from recordings.errors import UNREADABLE
    from recordings.trust.consents import withdraw
    from recordings.trust.exports import known_exports
    from sii_cli.render.figures import counted

    home = find_key_home(os.environ)
    withdraw(home, speaker)
    theirs: set[str] = set()
    for store in open_stores():
        for name in store.ids():
            try:
                if speaker in authors_of(store.root / name):
                    theirs.add(name)
            except UNREADABLE:
                continue  # `sii verify` reports it
    works = counted(len(theirs), "recording", "recordings")
    click.echo(f"No later export has the work of {speaker}: {works} in this home.")
    for export in known_exports(home):
        held = theirs & export.recordings
        if held:
            click.echo(f"{export.card} has {counted(len(held), 'recording', 'recordings')}")
