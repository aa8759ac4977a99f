"""The inbox line by line: for pipes, and for screen readers."""

from __future__ import annotations

import sys
from contextlib import closing
from shutil import get_terminal_size

import click

from recordings.errors import RecordingError
from recordings.storage.line_index import LineIndex
from recordings.storage.log import recording_hash
from sii_cli.config.settings import Settings
from sii_cli.errors import SiiError, UsageError
from sii_cli.inbox.answer import TaskVerdict, parse_answer
from sii_cli.inbox.background import Background, Ending, suspending
from sii_cli.inbox.batches import Batches
from sii_cli.inbox.queue import InboxQueue
from sii_cli.inbox.reply import record_done, record_reply
from sii_cli.inbox.waiting import WaitingSession
from sii_cli.options.recordings import warn
from sii_cli.review.item import read_item
from sii_cli.review.pages import first_page
from sii_cli.review.task import ReviewTask
from sii_cli.session import watchdog
from sii_cli.text.sanitise import one_line

HELP = (
    "Write a reply and end it with an empty line; or /done, /done no, /done [no] WORDS, /skip, "
    "/quit."
)


class _Quit(Exception):
    pass


def read_inbox(queue: InboxQueue, settings: Settings, *, shows_check: bool, at_once: int) -> None:
    """Show what waits, one after another, and take a reply to each; then continue what has one.

    Raises `SiiError`, `RecordingError`.
    """
    queue.sort(queue.find())
    begun, seen = list(queue.replied), frozenset[str]()
    try:
        while (one := queue.next(without=seen)) is not None:
            seen |= {one.id}
            try:
                if _answer(queue, one, settings, shows_check=shows_check):
                    begun.append(one)
            finally:
                queue.release(one)
    except (_Quit, KeyboardInterrupt):  # a key does not keep what has a reply from continuing
        pass
    if not seen and not begun:
        click.echo("No session waits for a reply.", err=True)
    continue_all(begun, at_once)


def continue_all(sessions: list[WaitingSession], at_once: int) -> bool:
    """Continue sessions that have a reply until each waits again; print how each stands.

    Return whether all of them do.
    """
    return watchdog.run(_continue_all(sessions, at_once)) if sessions else True


async def _continue_all(sessions: list[WaitingSession], at_once: int) -> bool:
    failed: list[str] = []

    def ended(waiting: WaitingSession, how: Ending, why: str) -> None:
        if how == "failed":
            failed.append(waiting.id)
        known = {"answered": "waits for a reply again", "suspended": "is stopped for now"}
        click.echo(
            f"{waiting.id} {known.get(how) or f'does not continue here: {one_line(why, 1000)}'}",
            err=True,
        )

    def troubled(waiting: WaitingSession, why: str) -> None:
        click.echo(
            f"{waiting.id} is tried again soon (Ctrl-C leaves it): {one_line(why, 1000)}", err=True
        )

    background = Background(Batches(), at_once, ended=ended, troubled=troubled)
    try:
        for one in sessions:
            background.begin(one)
        with suspending(background):
            await background.wait()
    finally:
        await background.aclose()
    return not failed


def print_session(one: WaitingSession, *, shows_check: bool, where: str = "") -> str:
    """Print the first screen of a session; return the hash of what was read.

    Raises `RecordingError`.
    """
    sha256 = recording_hash(one.folder)
    with closing(LineIndex(one.folder)) as index:
        while not index.complete:
            index.extend()
        item = read_item(ReviewTask(one.folder, sha256, shows_check=shows_check), index)
        rows = first_page(item, get_terminal_size().columns, opened=True).rows
    query = one_line(one.summary.query or "", 60)
    click.echo(f"{where}{one.id} · {one_line(one.batch.name, 40)} · {query}")
    click.echo(click.unstyle("\n".join(rows)))
    return sha256


def _answer(
    queue: InboxQueue, one: WaitingSession, settings: Settings, *, shows_check: bool
) -> bool:
    """Show a session and take what the person says; return whether it goes on. Raises `_Quit`."""
    try:
        sha256 = print_session(one, shows_check=shows_check)
    except RecordingError as error:
        warn(str(error))
        return False
    while True:
        said = _read()
        if said.split(maxsplit=1)[:1] in (["/quit"], ["/exit"]):
            raise _Quit
        try:
            match parse_answer(said or "/skip"):
                case "skip":
                    queue.skip(one)
                    return False
                case TaskVerdict(done, words):
                    record_done(one.folder, done, words, settings, sha256)
                    click.echo("Kept: the task is done." if done else "Kept: it is not done.")
                    return False
                case "reply":
                    record_reply(one.folder, said, settings, sha256)
                    click.echo("Recorded: it continues when you leave.")
                    return True
        except UsageError as error:
            warn(str(error))
        except (SiiError, RecordingError) as error:
            warn(str(error))
            return False


def _read() -> str:
    """Read a reply from standard input: lines up to an empty one, or one line with a command.

    Raises `_Quit` at the end of the input.
    """
    click.echo(HELP + " › ", err=True, nl=False)
    lines: list[str] = []
    while True:
        # As bytes: no byte that is not text ends the inbox.
        line = sys.stdin.buffer.readline().decode("utf-8", "replace")
        if not line and not lines:
            raise _Quit
        text = line.rstrip("\r\n")
        if not line or not text.strip():
            return "\n".join(lines)
        lines.append(text)
        if len(lines) == 1 and text.startswith("/"):
            return text
