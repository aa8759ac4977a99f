"""Starts the prompt: the first lines, and the loop that it runs in."""

from __future__ import annotations

import os

import click

from sii_cli import __version__
from sii_cli.config.settings import find_home
from sii_cli.errors import UsageError
from sii_cli.prompt.app import InteractivePrompt
from sii_cli.prompt.work import Begin, Resumes
from sii_cli.session import watchdog

FIRST_RUN = (
    "Type a task: the model works on it in a sandbox that sees this directory and no network.",
    "Everything is recorded in {home}; /off ends that, /forget deletes it.",
)
"""Shown once, below the first line, in a home without recordings."""


def run_prompt(begin: Begin, resumer: Resumes, *, plain: bool = False) -> int:
    """Run the prompt until the user leaves; `begin` finds its first session, `resumer` others.

    Raises what makes a session impossible.
    """
    home = find_home(os.environ)
    lines = [f"sii {__version__} · /help shows the keys"]
    if not os.path.lexists(home / "recordings"):
        lines += [line.format(home=home) for line in FIRST_RUN]
    if plain:
        from sii_cli.prompt.plain.app import PlainPrompt

        click.echo("\n".join(lines))
        return watchdog.run(PlainPrompt(begin, resumer).run())
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("This terminal (TERM=dumb) cannot draw the prompt: use `sii --plain`.")
    click.echo(click.style("\n".join(lines), dim=True))
    return watchdog.run(InteractivePrompt(begin, resumer).run())
