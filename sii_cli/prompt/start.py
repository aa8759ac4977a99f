"""Starts the prompt: the first lines, and the loop that it runs in."""

from __future__ import annotations

import os

import click

from sii_cli import __version__
from sii_cli.config.settings import find_home
from sii_cli.errors import UsageError
from sii_cli.prompt.app import Begin, InteractivePrompt, Resume
from sii_cli.session import watchdog

FIRST_RUN = (
    "Type a task: the model works on it in a sandbox that sees this directory and no network.",
    "Everything is recorded in {home}; /off ends that, /forget deletes it.",
)
"""Shown once, below the first line, in a home without recordings."""


def run_prompt(begin: Begin, resume: Resume) -> int:
    """Run the prompt until the user leaves; `begin` finds its first session, `resume` another one.

    Raises what makes a session impossible.
    """
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("This terminal (TERM=dumb) cannot show the prompt: use `sii -p`.")
    click.echo(click.style(f"sii {__version__} · /help shows the keys", dim=True))
    home = find_home(os.environ)
    if not os.path.lexists(home / "recordings"):
        click.echo(click.style("\n".join(line.format(home=home) for line in FIRST_RUN), dim=True))
    return watchdog.run(InteractivePrompt(begin, resume).run())
