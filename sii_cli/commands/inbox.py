"""`sii inbox`: sessions of batches that wait for a person's reply."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import DONE, INFRASTRUCTURE, UsageError
from sii_cli.options.homes import homes_option
from sii_cli.options.settings import example
from sii_cli.review.verdicts import speaker_option

if TYPE_CHECKING:
    from recordings.index.find import Filter
    from sii_cli.inbox.waiting import WaitingSession

AT_ONCE = 8


class InboxGroup(click.Group):
    """A group that opens the inbox when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `open` in front unless a command is named."""
        if not args or args[0] not in self.commands:
            args = ["open", *args]
        return super().parse_args(ctx, args)


@click.group("inbox", cls=InboxGroup, add_help_option=False)
def command() -> None:
    """Reply to sessions of batches that wait for you."""


_at_once = click.option(
    "--concurrency",
    "at_once",
    type=click.IntRange(1),
    default=AT_ONCE,
    help=f"Sessions that go on at once; default {AT_ONCE}.",
)
_batch = click.option("--batch", metavar="NAME", help="Only sessions of this batch.")


@command.command(
    "open",
    help="Read the sessions that `sii batch --feedback human` has parked, one after another, and "
    "reply to each, say that its task is done, or skip it. A session continues with your reply "
    "while you read the next; when it has answered it is here again. Several people may share an "
    "inbox.",
    epilog=example(
        "sii batch queries.jsonl --feedback human --out runs/monday",
        "sii inbox --home runs/monday",
        "sii inbox --json | jq .id",
        'sii inbox reply 20261123-2049 "Handle the empty line, too."',
        "sii inbox done 20261123-2049",
    ),
)
@click.option(
    "--plain", is_flag=True, help="Line by line: for screen readers. Pipes are always read so."
)
@click.option("--json", "as_json", is_flag=True, help="List what waits: one JSON object a line.")
@_batch
@speaker_option
@_at_once
@homes_option
def open_inbox(
    plain: bool, as_json: bool, batch: str | None, speaker: str | None, at_once: int
) -> None:
    """Open the inbox."""
    from recordings.index.find import Filter
    from sii_cli.inbox.queue import InboxQueue
    from sii_cli.options.protocol import load_protocol

    where = Filter(batch=batch)
    if as_json:
        _list(where)
        return
    from sii_cli.inbox.speaker import ask_for_consent, replying_settings

    settings = replying_settings(speaker)
    assert settings.speaker is not None
    shows_check = load_protocol().show_check
    ask_for_consent(settings)
    with InboxQueue(settings.speaker, where) as queue:
        from sii_cli.render.terminal import has_a_terminal

        if plain or not has_a_terminal():
            from sii_cli.inbox.plain import read_inbox

            read_inbox(queue, settings, shows_check=shows_check, at_once=at_once)
            return
        from sii_cli.inbox.app import InboxApp

        queue.sort(queue.find())
        InboxApp(queue, settings, shows_check=shows_check, at_once=at_once).run()


@command.command("reply", help="Reply to a session; it goes on until it waits for you again.")
@click.argument("ref", metavar="ID")
@click.argument("text", required=False)
@click.option("--later", is_flag=True, help="Record the reply; the next `sii inbox` goes on.")
@speaker_option
@homes_option
def reply(ref: str, text: str | None, later: bool, speaker: str | None) -> int:
    """Reply with TEXT, or with standard input."""
    from sii_cli.inbox.plain import continue_all, print_session
    from sii_cli.inbox.reply import record_reply
    from sii_cli.inbox.speaker import ask_for_consent, replying_settings
    from sii_cli.inbox.waiting import find_one_waiting
    from sii_cli.options.protocol import load_protocol

    one, settings = find_one_waiting(ref), replying_settings(speaker)
    if text is None or text == "-":
        if sys.stdin.isatty():
            raise UsageError('There is no reply: say `sii inbox reply ID "text"`, or pipe it in.')
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    ask_for_consent(settings)
    record_reply(one.folder, text, settings)
    click.echo("Recorded.", err=True)
    if later:
        return DONE
    if not continue_all([one], 1):
        return INFRASTRUCTURE
    print_session(one, shows_check=load_protocol().show_check)
    return DONE


@command.command("done", help="Say that a session's task is done; it ends with that.")
@click.argument("ref", metavar="ID")
@click.argument("words", nargs=-1)
@click.option("--no", "is_not", is_flag=True, help="It is not done, and nothing more is tried.")
@speaker_option
@homes_option
def done(ref: str, words: tuple[str, ...], is_not: bool, speaker: str | None) -> None:
    """End a session with a verdict, and WORDS if you like."""
    from sii_cli.inbox.reply import record_done
    from sii_cli.inbox.speaker import ask_for_consent, replying_settings
    from sii_cli.inbox.waiting import find_one_waiting

    one, settings = find_one_waiting(ref), replying_settings(speaker)
    ask_for_consent(settings)
    record_done(one.folder, not is_not, " ".join(words), settings)
    click.echo("Kept: the task is not done." if is_not else "Kept: the task is done.", err=True)


def _list(where: Filter) -> None:
    from sii_cli.config.settings import find_key_home
    from sii_cli.inbox.queue import REPLY
    from sii_cli.inbox.waiting import find_waiting_and_unreadable
    from sii_cli.options.recordings import warn
    from sii_cli.queue.leases import Leases

    found, unreadable = find_waiting_and_unreadable(where)
    for summary in unreadable:
        warn(f"{summary.id} may wait, but cannot be read: {summary.why}")
    if not found:
        return
    with Leases(find_key_home(os.environ)) as leases:
        held = leases.held(REPLY)
    for one in found:
        click.echo(json.dumps(_facts(one, held.get(one.id, ()))))


def _facts(one: WaitingSession, readers: tuple[str, ...]) -> dict[str, Any]:
    summary = one.summary
    return {
        "id": one.id,
        "waits_for": "the model" if one.has_reply else "a person",
        "batch": one.batch.name,
        "query": summary.query,
        "task": summary.first_message,
        "rounds": summary.rounds,
        "steps": summary.steps,
        "began": summary.started,
        "read_by": list(readers),
        "folder": str(one.folder),
    }
