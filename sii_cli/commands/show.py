"""`sii show`: a recording, readable."""

from __future__ import annotations

from pathlib import Path

import click

from sii_cli.options.endings import evidence_lines, said_lines
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import find_one, warn, warn_of_outages, warn_when_void
from sii_cli.options.settings import example
from sii_cli.options.tokenizer import load_token_text, tokenizer_option
from sii_cli.options.viewer import hides_check


@click.command(
    "show",
    help="Print a recording. REF is an id, the beginning of one, or `last`.",
    epilog=example(
        "sii show last", "sii show 20261123-2049 --full | less -R", "sii show last --ids"
    ),
)
@click.argument("ref", default="last")
@click.option("--full", is_flag=True, help="Everything that calls returned, not folded.")
@click.option(
    "--ids",
    is_flag=True,
    help="The token ids that each model call read and generated, instead of the session; with a "
    "tokenizer also their text.",
)
@tokenizer_option
@homes_option
def command(ref: str, full: bool, ids: bool, tokenizer: Path | None) -> None:
    """Print a recording."""
    from recordings.reviews.blind import OF_CHECK
    from recordings.storage.log import read_events
    from sii_cli.render.renderer import EventRenderer
    from sii_cli.render.screen import open_screen

    folder = find_one(ref)
    warn_when_void(folder)
    warn_of_outages(folder)
    if ids:
        _show_ids(folder, full, tokenizer)
        return
    renderer = EventRenderer(open_screen(), fold=not full)
    hidden = OF_CHECK if hides_check(folder) else ()
    for event in read_events(folder):
        if event.data.type not in hidden:
            renderer.feed(event)
    renderer.finish()
    for line in (*said_lines(folder), *evidence_lines(folder)):
        click.echo(line)
    if hidden:
        warn("The check is hidden until you have given your verdict (review.toml: show_check).")


def _show_ids(folder: Path, full: bool, tokenizer: Path | None) -> None:
    from recordings.samples.steps import read_steps
    from sii_cli.render.ids import render_ids
    from sii_cli.render.screen import open_screen

    token_text = load_token_text(tokenizer)
    screen = open_screen()
    for line in render_ids(
        read_steps(folder), token_text.pieces if token_text else None, fold=not full
    ):
        screen.print(line)
