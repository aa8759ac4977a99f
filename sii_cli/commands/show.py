"""`sii show`: a recording, readable."""

from __future__ import annotations

import click

from sii_cli.options.endings import said_lines
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import find_one, warn_of_outages, warn_when_void
from sii_cli.options.settings import example


@click.command(
    "show",
    help="Print a recording. REF is an id, the beginning of one, or `last`.",
    epilog=example("sii show last", "sii show 20261123-2049 --full | less -R"),
)
@click.argument("ref", default="last")
@click.option("--full", is_flag=True, help="Everything that calls returned, not folded.")
@homes_option
def command(ref: str, full: bool) -> None:
    """Print a recording."""
    from recordings.storage.log import read_events
    from sii_cli.render.renderer import EventRenderer
    from sii_cli.render.screen import open_screen

    folder = find_one(ref)
    warn_when_void(folder)
    warn_of_outages(folder)
    renderer = EventRenderer(open_screen(), fold=not full)
    for event in read_events(folder):
        renderer.feed(event)
    renderer.finish()
    for line in said_lines(folder):
        click.echo(line)
