"""`sii replay`: a recording, played as it happened or run again."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.config.paths import real_path
from sii_cli.errors import DONE, UsageError
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import find_one, open_stores, warn_when_void
from sii_cli.options.settings import example
from sii_cli.options.viewer import hides_check

if TYPE_CHECKING:
    from sii_cli.render.live import LiveRenderer


@click.command(
    "replay",
    help="Play a recording as it happened, or run its calls again (--execute). REF is an id, the "
    "beginning of one, or `last`.",
    epilog=example(
        "sii replay last",
        "sii replay last --speed 4",
        "sii replay 20261123 --step",
        "sii replay last --html replay.html --cast replay.cast",
        "sii replay last --execute --workspace ../as-it-was",
    ),
)
@click.argument("ref", default="last")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    metavar="N",
    help="Times as fast.",
)
@click.option(
    "--step",
    "by_step",
    is_flag=True,
    help="Begin paused: space plays, n steps. With --execute: wait for Enter before calls.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write one page for a browser instead; it needs nothing else.",
)
@click.option(
    "--cast",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a cast for asciinema instead (version 2).",
)
@click.option(
    "--execute",
    is_flag=True,
    help="Run every call again in a fresh sandbox and compare what it returns with what was "
    "recorded; exits with 1 when anything differs. Web tools are answered from the recording.",
)
@click.option(
    "--until", type=click.IntRange(min=0), metavar="SEQ", help="--execute: up to this event."
)
@click.option("--json", "as_json", is_flag=True, help="--execute: one JSON object a line.")
@click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    metavar="DIR",
    help="--execute: the files as they were at the start (copied), in place of the snapshot.",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="--execute: more rules of what may differ (TOML).",
)
@click.option("--image", metavar="NAME", help="--execute: another image than the recorded one.")
@homes_option
def command(
    ref: str,
    speed: float,
    by_step: bool,
    html: Path | None,
    cast: Path | None,
    execute: bool,
    **options: Any,
) -> int:
    """Play a recording, or run it again."""
    if (html or cast) and (by_step or speed != 1):
        raise UsageError("--speed and --step are for the terminal: a file has its own controls.")
    if execute and (html or cast or speed != 1):
        raise UsageError("--execute runs the calls: it has no --speed and writes no file.")
    if not execute and any(value not in (None, False, ()) for value in options.values()):
        raise UsageError("--until, --json, --workspace, --rules and --image are for --execute.")
    folder = find_one(ref)
    warn_when_void(folder)
    if execute:
        from sii_cli.reexecution.output import execute as run_again

        return run_again(folder, by_step=by_step, **options)
    if hides_check(folder):
        raise UsageError(
            f"The protocol hides the check of {folder.name} until you have given your verdict "
            f"(review.toml: show_check): `sii review {folder.name}` shows it without."
        )
    if html or cast:
        _export(folder, html, cast)
    elif _has_a_terminal():
        from sii_cli.player.app import PlayerApp

        PlayerApp(folder, speed=speed, paused=by_step).run()
    else:
        _play(folder, speed)
    return DONE


def _export(folder: Path, html: Path | None, cast: Path | None) -> None:
    from recordings.replay.cast import write_cast
    from recordings.replay.html import write_html
    from sii_cli.options.endings import ended_lines
    from sii_cli.render.figures import size

    for target in filter(None, (html, cast)):
        _check_target(target)
        if target is html:
            write_html(folder, target, ended_lines(folder))
        else:
            write_cast(folder, target)
        click.echo(f"{target}  {size(target.stat().st_size)}", err=True)


def _check_target(target: Path) -> None:
    """A file of a recording is never written over."""
    if not target.absolute().parent.is_dir():
        raise UsageError(f"{target.parent} is not a directory: make it, or write to another place.")
    roots = [real_path(store.root) for store in open_stores()]
    if any(real_path(target).is_relative_to(root) for root in roots):
        raise UsageError(f"{target} is among the recordings: write to another place.")


def _has_a_terminal() -> bool:
    """Whether there are keys and a screen; without them a recording is printed as it happened."""
    ttys = sys.stdin.isatty() and sys.stdout.isatty()
    return ttys and os.environ.get("TERM", "dumb") not in ("dumb", "")


def _play(folder: Path, speed: float) -> None:
    from recordings.replay.timeline import timeline
    from recordings.storage.log import read_events
    from sii_cli.render.live import LiveRenderer

    renderer = LiveRenderer(clock=lambda: time.monotonic() * speed)
    due = time.monotonic()
    for wait, item in timeline(read_events(folder)):
        due += wait / speed
        _wait_until(due, renderer)
        renderer.feed(item)
    renderer.finish()


def _wait_until(due: float, renderer: LiveRenderer) -> None:
    """Wait until a clock time, and keep drawing the spinner."""
    from sii_cli.render.activity import FRAME

    while (left := due - time.monotonic()) > 0:
        time.sleep(min(left, FRAME))
        renderer.tick()
