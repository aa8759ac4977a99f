"""One task without an input line: `sii -p`, `sii run`, and a task on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import partial

import click

from recordings.store.summary import has_open_round
from sii_cli.assembly import Mode
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError, explain
from sii_cli.headless.output import Outcome, TaskOutput, TextOutput, make_output
from sii_cli.model.types import Model
from sii_cli.options.recordings import outage_sentence, warn
from sii_cli.options.settings import OutputFormat
from sii_cli.session import watchdog
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from sii_cli.text.sanitise import one_line

TICK = 0.1
"""Seconds."""

Opening = Callable[[], Awaitable[Session]]


def read_task(text: str | None, resumed: ResumedRecording | None = None) -> str | None:
    """Return the task: the text given, or standard input where there is none (or `-`).

    `None`: the recording that is continued has an open round, which needs no message.
    Raises `UsageError` when there is no task.
    """
    needs_none = text is None and resumed is not None and has_open_round(resumed.folder)
    if text is None or text == "-":
        if sys.stdin.isatty() and text is None:
            if needs_none:
                return None
            raise UsageError('There is no task: say `sii -p "task"`, or pipe it in.')
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip():
        if needs_none:
            return None
        raise UsageError("The task is empty.")
    return text.strip("\n")


def run_task(
    settings: Settings,
    task: str | None,
    output_format: OutputFormat,
    *,
    mode: Mode = "headless",
    model: Model | None = None,
    resumed: ResumedRecording | None = None,
) -> int:
    """Work on the task (`None`: on the open round), print as asked, and return the exit code.

    `model` replaces the server that the settings name; `resumed` is a recording to continue.
    """
    for note in settings.notes:
        click.echo(f"sii: {one_line(note, 300)}", err=True)
    opening = partial(Session.open, settings, mode=mode, model=model, resumed=resumed)
    return watchdog.run(_run(opening, task, make_output(output_format)))


async def _run(opening: Opening, task: str | None, output: TaskOutput) -> int:
    outcome = Outcome()
    shown = False
    try:
        async with interruptible_session(opening) as session:
            with _ticking(output):
                for note in session.notes(await session.served()):
                    click.echo(f"sii: {one_line(note, 300)}", err=True)
                happening = session.resume_round() if task is None else session.send(task)
                async with aclosing(happening) as items:
                    async for item in items:
                        outcome.session, outcome.folder = session.id, session.folder
                        outcome.feed(item)
                        outcome.fill = session.context.fill if session.context else None
                        if session.folder is not None:
                            output.feed(item, session.folder)
                shown = True
    except asyncio.CancelledError:
        outcome.interrupted()
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        outcome.fail(known)
    output.end(outcome)
    if outcome.reason and not (shown and isinstance(output, TextOutput)):
        click.echo(f"sii: {outcome.reason}", err=True)
    if outcome.outages:
        warn(outage_sentence(outcome.outages))
    return outcome.exit_code


@asynccontextmanager
async def interruptible_session(opening: Opening) -> AsyncIterator[Session]:
    """Open a session that signals interrupt, and close it in any case."""
    session = await opening()
    with _interruptible(session) as hurried:
        try:
            yield session
        finally:
            await session.close(hurried)


@contextlib.contextmanager
def _ticking(output: TaskOutput) -> Iterator[None]:
    """Let the output know that time passes, also while nothing happens."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK)
            output.tick()

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()


@contextlib.contextmanager
def _interruptible(session: Session) -> Iterator[asyncio.Event]:
    """Let Ctrl-C and SIGTERM interrupt the round; a second one stops everything.

    Yields what the first one sets.
    """
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    asked = asyncio.Event()

    def stop() -> None:
        if (asked.is_set() or not session.can_interrupt) and main is not None:
            main.cancel()
        asked.set()
        session.interrupt()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield asked
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
