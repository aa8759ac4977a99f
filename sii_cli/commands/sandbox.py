"""`sii sandbox`: this machine's sandboxes, their images, and checks of their limits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sandbox.docker.sii_images import BASE, REPOSITORY, SII_IMAGES
from sii_cli.errors import UsageError
from sii_cli.options.recordings import warn
from sii_cli.options.settings import example, load, settings_options
from sii_cli.render.checks import report

if TYPE_CHECKING:
    from sandbox.docker.image import BuiltImage
    from sandbox.protocol import RunningSandbox

MINUTE, HOUR, DAY = 60, 3600, 86400


@click.group(
    "sandbox",
    help="Manage this machine's sandboxes and their images.",
    epilog=example(
        "sii sandbox list", "sii sandbox build research", "sii sandbox doctor --sandbox bubblewrap"
    ),
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
    short_help="Build a sandbox image.",
    help="Build a sandbox image, unless it is up to date; one to four minutes. NAME is base (the "
    "default), research (data, statistics, notebooks) or web (node, Chromium, Playwright); "
    "`sii sandbox images` lists them. With --file it is your own, sii-sandbox:NAME.",
    epilog=example(
        "sii sandbox build",
        "sii sandbox build research",
        "sii sandbox build mine --file Dockerfile --on web",
    ),
)
@click.argument("name", default=BASE)
@click.option("--rebuild", is_flag=True, help="Build also when it is up to date.")
@click.option(
    "--file",
    "dockerfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="DOCKERFILE",
    help="Your Dockerfile. It begins with ARG BASE and FROM ${BASE}; no other file is sent along.",
)
@click.option(
    "--on",
    "base",
    type=click.Choice(list(SII_IMAGES)),
    default=BASE,
    help="--file: the image that it is built on (default: base).",
)
def build_command(name: str, rebuild: bool, dockerfile: Path | None, base: str) -> None:
    """Build an image."""
    from sandbox.docker.image import build_image, build_own, ensure_image

    if dockerfile is not None:
        tag = f"{REPOSITORY}:{name}"
        image = build_own(name, dockerfile, base, click.echo)
    elif name in SII_IMAGES:
        tag = SII_IMAGES[name].tag
        image = (build_image if rebuild else ensure_image)(name, click.echo)
    else:
        raise UsageError(
            f"There is no image {name!r}: build one of {', '.join(SII_IMAGES)}, "
            "or give your own Dockerfile with --file."
        )
    click.echo(f"{tag} is ready ({image[7:19]}).")


@command.command(
    "images",
    short_help="List the images that sandboxes can use.",
    help="List the images that `sii sandbox build` makes, with size and digest; missing ones too. "
    "One is chosen by `--image NAME`, the setting `image`, or a query's `image`.",
    epilog=example("sii sandbox images", "sii sandbox images --json | jq -r .digest"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def images_command(as_json: bool) -> None:
    """List images."""
    from sandbox.docker.image import list_images

    for one in list_images():
        click.echo(json.dumps(asdict(one)) if as_json else _image_line(one))


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


def _image_line(one: BuiltImage) -> str:
    size = "–" if one.size is None else f"{one.size / 1e6:,.0f} MB"
    digest = one.digest[7:19] if one.digest else "–"
    return f"{one.name:<10}  {one.state:<8}  {size:>9}  {digest:<12}  {one.holds}".rstrip()


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
