"""`sii sandbox`: this machine's sandboxes, their image, and checks of their limits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sii_cli.options.recordings import warn
from sii_cli.options.settings import example, load, settings_options
from sii_cli.render.checks import report

if TYPE_CHECKING:
    from sandbox.protocol import RunningSandbox

MINUTE, HOUR, DAY = 60, 3600, 86400


@click.group(
    "sandbox",
    help="Manage this machine's sandboxes and their image.",
    epilog=example("sii sandbox list", "sii sandbox doctor --sandbox bubblewrap"),
)
def command() -> None:
    """Without a command of its own: the help."""


@command.command(
    "list",
    short_help="List this machine's sandboxes.",
    help="List this machine's sandboxes: owner, age, memory, session, workspace.",
    epilog=example("sii sandbox list", "sii sandbox list --json | jq .memory"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_command(as_json: bool) -> None:
    """List sandboxes."""
    from sandbox.running_sandboxes import running_sandboxes
    from sii_cli.session.running import session_of

    listed = running_sandboxes()
    for one in listed.found:
        session = session_of(one)
        facts = {**asdict(one), "session": session}
        click.echo(json.dumps(facts) if as_json else _line(one, session))
    for backend, why in listed.unseen.items():
        warn(f"{backend.capitalize()}'s sandboxes are not listed: {why}")
    if not (listed.unseen or listed.found or as_json):
        click.echo("There are no sandboxes.", err=True)


@command.command(
    "reap",
    short_help="Remove what ended sii processes left behind.",
    help="Remove what ended sii processes left behind. Nothing that is in use is touched.",
    epilog=example("sii sandbox reap"),
)
def reap_command() -> None:
    """Remove what is left over."""
    from sandbox.docker.engine import connect
    from sandbox.docker.leftovers import remove_leftovers

    count = remove_leftovers(connect().api)
    words = "1 container" if count == 1 else f"{count} containers"
    click.echo(f"Removed {words} of ended processes." if count else "Nothing is left over.")


@command.command(
    "build",
    short_help="Build the sandbox's image.",
    help="Build the sandbox's image, unless it is up to date; one to two minutes.",
    epilog=example("sii sandbox build", "sii sandbox build --rebuild"),
)
@click.option("--rebuild", is_flag=True, help="Build also when it is up to date.")
def build_command(rebuild: bool) -> None:
    """Build the image."""
    from sandbox.docker.image import TAG, build_image, ensure_image

    make = build_image if rebuild else ensure_image
    image = make(TAG, click.echo)
    click.echo(f"{TAG} is ready ({image[7:19]}).")


@command.command(
    "doctor",
    short_help="Check that a sandbox starts and enforces its limits.",
    help="Start a sandbox and check that it works and enforces its limits; takes a few seconds.",
    epilog=example("sii sandbox doctor", "sii sandbox doctor --image my-image --json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@settings_options
def doctor_command(as_json: bool, **flags: Any) -> int:
    """Run the checks; fails when one of them does."""
    settings = load(flags)
    from sii_cli.doctor.sandbox import examine_sandbox

    return asyncio.run(report(examine_sandbox(settings), as_json))


def _line(one: RunningSandbox, session: str | None) -> str:
    from sii_cli.text.sanitise import one_line

    memory = "–" if one.memory is None else f"{one.memory / (1 << 20):.0f} MiB"
    owner = f"pid {one.owner}" if one.owner_lives else f"pid {one.owner}, ended"
    return (
        f"{one.sandbox_id:<16}  {one.state:<8}  {owner:<16}  {_age(one.seconds):>5}  {memory:>9}  "
        f"{one_line(session or '–', 100):<20}  {one_line(one.workspace or '–', 100)}"
    )


def _age(seconds: float) -> str:
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
