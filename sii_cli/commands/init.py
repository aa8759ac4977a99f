"""`sii init`: make a home."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from sii_cli.options.settings import example


@click.command(
    "init",
    help="Make a home in the new folder DIR: a collection with its own key, settings, recordings "
    "and batches. It is known as yours from then on (`--home DIR`). Nothing is overwritten.",
    epilog=example(
        "sii init limi-78 --goal 78",
        "sii --home limi-78 --workspace project",
        "sii status --home limi-78",
    ),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--goal", type=click.IntRange(min=1), metavar="N", help="Approved trajectories that are wanted."
)
def command(folder: Path, goal: int | None) -> None:
    """Make a home."""
    from sii_cli.config.homes import know_home
    from sii_cli.config.new_home import make_home
    from sii_cli.config.paths import real_path
    from sii_cli.config.settings import CONFIG_FILE

    home = real_path(folder)
    make_home(home, goal)
    know_home(home)
    click.echo(f"{home} is a home: its settings are in {home / CONFIG_FILE}.")
    named = shlex.quote(str(home))
    click.echo(f"Work in it from a project's directory: `sii --home {named}`.", err=True)
