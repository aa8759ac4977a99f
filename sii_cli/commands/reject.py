"""`sii reject`: a recording is not to be trained on."""

from __future__ import annotations

import click

from sii_cli.errors import UsageError
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one
from sii_cli.options.settings import example
from sii_cli.review.verdicts import (
    find_reviewer,
    give_review,
    hash_to_review,
    refuse_incomplete,
    speaker_option,
)


@click.command(
    "reject",
    help=f"Reject a recording as it is now, and say why. {REFS_HELP}",
    epilog=example("sii reject last --why 'it deleted the failing test'"),
)
@click.argument("ref", metavar="ID")
@click.option("--why", required=True, metavar="TEXT", help="The reason, for readers.")
@speaker_option
@homes_option
def command(ref: str, why: str, speaker: str | None) -> None:
    """Reject a recording."""
    if not why.strip():
        raise UsageError("Say why: --why TEXT.")
    folder, reviewer = find_one(ref), find_reviewer(speaker)
    sha256 = hash_to_review(folder)
    refuse_incomplete(folder, reviewer, sha256)
    give_review(folder, reviewer, sha256, verdict="reject", note=why)
