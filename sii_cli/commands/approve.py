"""`sii approve`: a recording is good to be trained on."""

from __future__ import annotations

import click

from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one, warn_of_outages
from sii_cli.options.settings import example
from sii_cli.review.verdicts import (
    find_reviewer,
    give_review,
    hash_to_review,
    refuse_incomplete,
    speaker_option,
)


@click.command(
    "approve",
    help="Approve a recording as it is now; when it changes, the approval no longer holds. "
    f"{REFS_HELP} `sii review` steps through it first.",
    epilog=example("sii approve last", "sii approve 20261123-2049 --note 'short and right'"),
)
@click.argument("ref", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help="A note.")
@speaker_option
@homes_option
def command(ref: str, note: str, speaker: str | None) -> None:
    """Approve a recording."""
    folder, reviewer = find_one(ref), find_reviewer(speaker)
    warn_of_outages(folder)
    sha256 = hash_to_review(folder)
    refuse_incomplete(folder, reviewer, sha256)
    give_review(folder, reviewer, sha256, verdict="approve", note=note)
