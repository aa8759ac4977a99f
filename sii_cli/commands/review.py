"""`sii review`: read recordings in the terminal, say what is to be said, and judge them."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.config.settings import find_key_home
from sii_cli.errors import SiiError, UsageError
from sii_cli.options.filters import filter_options, make_filter, open_indexes
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import REFS_HELP, find_all, open_collections, warn
from sii_cli.options.settings import example
from sii_cli.review.remarks import HELP
from sii_cli.review.verdicts import find_reviewer, speaker_option

if TYPE_CHECKING:
    from sii_cli.review.full_screen import ScreenReviewer
    from sii_cli.review.plain import PlainReviewer


@click.command(
    "review",
    help="Read recordings, comment, flag or exclude their steps, and approve or reject each, or "
    "say that it needs work; then the next one follows. In a terminal the first screen has the "
    "task, how it ended and the answer; `?` names the keys, and a draft is kept at each of them. "
    f"{REFS_HELP} Without one: what waits for you, in your own order; the options of `sii list` "
    f"choose among it.\n\n\b\nWith --plain, or without a terminal:\n{HELP}",
    epilog=example(
        "sii review",
        "sii review --tag to-review --since 7d",
        "sii review last --rubric rubric.txt",
    ),
)
@click.argument("refs", metavar="[ID]...", nargs=-1)
@click.option(
    "--plain", is_flag=True, help="Line by line: for screen readers. Pipes are always read so."
)
@click.option("--full", is_flag=True, help="With --plain: all that calls returned, not folded.")
@click.option(
    "--rubric",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Ask these too: one criterion a line.",
)
@speaker_option
@click.option("--again", is_flag=True, help="Also those that you have judged.")
@filter_options
def command(
    refs: tuple[str, ...],
    plain: bool,
    full: bool,
    rubric: Path | None,
    speaker: str | None,
    again: bool,
    **options: Any,
) -> None:
    """Review recordings."""
    from sii_cli.review.rubric import ReviewQuestion, read_questions

    if refs and (again or any(value not in (None, ()) for value in options.values())):
        raise UsageError("Name recordings, or choose them by options, not both.")
    folders = find_all(refs, everything=False) if refs else None
    name, protocol = find_reviewer(speaker), load_protocol()
    asked = tuple(ReviewQuestion(one.name, one) for one in protocol.rubric)
    questions = (*asked, *read_questions(rubric))
    reviewer: ScreenReviewer | PlainReviewer
    if plain or full or not _has_a_terminal():
        from sii_cli.review.plain import PlainReviewer

        reviewer = PlainReviewer(name, questions, protocol, fold=not full)
    else:
        from sii_cli.prompt.key_file import read_review_keys
        from sii_cli.review.full_screen import ScreenReviewer

        keys = read_review_keys(find_key_home(os.environ))
        reviewer = ScreenReviewer(name, questions, protocol, keys)
    if folders is None and not again:
        from sii_cli.review.queued import review_queue

        if _has_recordings():
            review_queue(reviewer, make_filter(options))
    elif folders is None:
        _review_all(_choose(options, name), reviewer)
    elif len(folders) == 1:
        reviewer.review(folders[0])
    else:
        _review_all(folders, reviewer)


def _has_recordings() -> bool:
    """Return whether there is anything to review; report it where there is not."""
    collections = open_collections()
    found = any(one.has_recordings() for one in collections)
    if not found:
        root = collections[0].own.root
        click.echo(f"There are no recordings in {root} yet: run `sii` first.", err=True)
    return found


def _choose(options: dict[str, Any], reviewer: str) -> list[Path]:
    """Return the folders of the recordings that a person may review, judged or not, the oldest
    first.
    """
    from recordings.index.find import find_in
    from recordings.reviews.protocol import DEFAULT_PROTOCOL

    where = replace(make_filter(options), judge=reviewer)
    if not _has_recordings():
        return []
    with open_indexes() as indexes:
        protocol = load_protocol() if where.approval else DEFAULT_PROTOCOL
        found = find_in(indexes, where, ascending=True, protocol=protocol)
    if not found:
        message = f"Nothing is left to review: no recording matches that {reviewer} may judge."
        click.echo(message, err=True)
    return [one.summary.folder for one in found]


def _review_all(folders: list[Path], reviewer: ScreenReviewer | PlainReviewer) -> None:
    """Review one recording after another; those that cannot be judged are reported and skipped."""
    from recordings.errors import RecordingDamaged, RecordingNotFound, RecordingTooNew

    for number, folder in enumerate(folders, 1):
        click.echo(f"{number} of {len(folders)}: {folder.name}", err=True)
        try:
            if not reviewer.review(folder, number, len(folders)):
                return
        except (SiiError, RecordingDamaged, RecordingNotFound, RecordingTooNew) as error:
            warn(str(error))
    if folders:
        click.echo(f"That was the last of {len(folders)}.", err=True)


def _has_a_terminal() -> bool:
    """Return whether a full screen can be drawn, and keys be read."""
    is_dumb = os.environ.get("TERM", "dumb") in ("dumb", "")
    return sys.stdin.isatty() and sys.stdout.isatty() and not is_dumb
