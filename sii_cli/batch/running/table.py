"""A running batch on the screen: a table, or lines when the output is not a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from recordings.outcomes import style_of
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from sii_cli.batch.running.progress import Progress

SLOWEST = 4
REDRAWS = 2
"""A second."""


@contextlib.contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Keep the table on the terminal, if there is one, while the batch runs."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(
        get_renderable=lambda: table(progress),
        console=console,
        refresh_per_second=REDRAWS,
        transient=False,
    ):
        yield


def print_line(line: str) -> None:
    """Print a line about the batch, unless the table is shown."""
    if not sys.stderr.isatty():
        click.echo(one_line(line, 500), err=True)


def table(progress: Progress) -> RenderableType:
    """Draw the progress of the batch."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    facts = Table.grid(padding=(0, 2))
    left = progress.seconds_left
    facts.add_row(
        Text("sessions"),
        Text(f"{progress.done}/{progress.total} done, {len(progress.running)} running"),
        ProgressBar(total=max(1, progress.total), completed=progress.done, width=30),
    )
    facts.add_row(
        Text("time"),
        Text(f"{_clock(progress.seconds)} so far"),
        Text(f"{_clock(left)} left" if left is not None else "no estimate yet"),
    )
    facts.add_row(
        Text("speed"),
        Text(f"{progress.token_speed.per_second():.0f} tokens/s"),
        Text(
            f"{progress.step_speed.per_second():.1f} steps/s, "
            f"{progress.session_speed.per_second() * 3600:.0f} sessions/h"
        ),
    )
    facts.add_row(Text("yield"), _counts(progress), Text(f"infra {progress.failures}"))
    lines: list[RenderableType] = [facts]
    lines += [
        Text(
            f"  slow: {one_line(live.attempt.name, 50)}, {live.steps} steps, {live.tokens} tokens",
            style="dim",
        )
        for live in progress.slowest(SLOWEST)
    ]
    lines += [Text(f"  {one_line(error, 100)}", style="red") for error in progress.last_errors]
    if progress.waiting_for:
        waiting = one_line(progress.waiting_for, 100)
        lines.append(Text(f"  no session is started: {waiting}", style="yellow"))
    if progress.notice:
        lines.append(Text(f"  {one_line(progress.notice, 100)}", style="bold yellow"))
    return Group(*lines)


def _counts(progress: Progress) -> Text:
    from rich.text import Text

    counts = [
        Text(f"{outcome} {count}", style=style_of(outcome))
        for outcome, count in progress.outcomes.most_common()
    ]
    return Text(", ").join(counts) if counts else Text("nothing yet")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
