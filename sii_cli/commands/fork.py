"""`sii fork`: a new session's recording that shares another's past up to an event."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TextIO

import click

from sii_cli.config.settings import find_home
from sii_cli.errors import UsageError
from sii_cli.fork.making import make_fork
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one, warn, warn_when_void
from sii_cli.options.settings import example
from sii_cli.review.verdicts import speaker_option


@click.command(
    "fork",
    help="Begin a session whose history is a recording's up to event SEQ (the bar of "
    "`sii replay`, `sii search` and `sii review` show the numbers of events). Its first event of "
    f"its own pins the parent by hash; `sii -r` resumes it. {REFS_HELP}\n\n"
    "Its files are those of that moment, in a directory of its own: the recorded workspace is not "
    "touched. Where no snapshots were taken, it works in the recorded workspace, on the files as "
    "they are now.\n\n"
    "What is edited is a user message as it is, or a model's message (or a call in it) as "
    "sections:\n\n\b\n"
    "  %%% reasoning\n"
    "  The test fails in split: look there first.\n"
    "  %%% call bash\n"
    "  %%% argument command\n"
    "  pytest -q tests/test_money.py",
    epilog=example(
        "sii fork last --at 14",
        "sii fork 20261123-2049 --at 14 --workspace ../copy",
        "sii fork last --at 14 --edit",
        "sii fork last --at 14 --replace better.txt --speaker ann --why 'it guessed'",
    ),
)
@click.argument("ref", metavar="ID")
@click.option(
    "--at",
    "seq",
    type=click.IntRange(min=0),
    required=True,
    metavar="SEQ",
    help="The last event that is shared.",
)
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    metavar="DIR",
    help="Where the fork works: a new or empty directory gets the files of that moment, one that "
    "holds files is taken as it is.",
)
@click.option(
    "--edit",
    is_flag=True,
    help="Replace the words of event SEQ first: a user message, a model's message or a "
    "call in it. They open in $EDITOR; what comes after it is not shared.",
)
@click.option(
    "--replace",
    "replacement",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="As --edit, with the words from a file (- is standard input).",
)
@speaker_option
@click.option("--why", default="", metavar="TEXT", help="Why they are better, for the recording.")
@homes_option
def command(
    ref: str,
    seq: int,
    workspace: Path | None,
    edit: bool,
    replacement: TextIO | None,
    speaker: str | None,
    why: str,
) -> None:
    """Fork a recording."""
    from recordings.conversation.restore import restore
    from sii_cli.config.home_key import origin_here
    from sii_cli.workspace.history import copy_snapshots, keeping_snapshots

    parent = find_one(ref)
    warn_when_void(parent)
    changed = None
    if edit or replacement is not None:
        from sii_cli.fork.edit import edit_event

        changed = edit_event(parent, seq, replacement, speaker=speaker, why=why)
        seq = changed.at
    elif why or speaker:
        raise UsageError("--why and --speaker go with --edit or --replace.")
    past = restore(parent, seq)
    is_own = origin_here(parent) != "foreign"
    home = find_home(os.environ)
    with keeping_snapshots(home):
        copy_snapshots(parent, seq, home)
        name, placed = make_fork(parent, past, workspace, changed, is_own=is_own)
    click.echo(name)
    where = _shown(placed.path)
    goes_on = f"sii -r {name}" if is_own else f"sii -r {name} --workspace {shlex.quote(where)}"
    click.echo(
        f"It shares events 0 to {seq} of {parent.name} and works in {where}, whose "
        f"files are {placed.files}. Resume it with `{goes_on}`.",
        err=True,
    )
    if not is_own:
        warn(
            f"This home cannot prove that it made {parent.name}: what the fork shares with "
            f"it counts as foreign (`sii trust {name}` trusts it)."
        )
    for warning in placed.warnings:
        warn(warning)


def _shown(path: str) -> str:
    from sii_cli.text.sanitise import one_line

    return one_line(path, 300)
