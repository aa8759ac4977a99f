"""`sii fork`: a new session's recording that shares another's past up to an event."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from sii_cli.config.settings import find_home
from sii_cli.errors import UsageError
from sii_cli.fork.workspace import ForkWorkspace, place_workspace
from sii_cli.options.homes import homes_option
from sii_cli.options.recordings import REFS_HELP, find_one, open_store, warn, warn_when_void
from sii_cli.options.settings import example, load_for_recordings
from sii_cli.review.verdicts import speaker_option

if TYPE_CHECKING:
    from recordings.conversation.restore import Conversation
    from recordings.recorder import Recorder
    from sii_cli.fork.edit import ForkEdit


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
        name, placed = _fork(parent, past, workspace, changed, is_own=is_own)
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


def _fork(
    parent: Path,
    past: Conversation,
    workspace: Path | None,
    changed: ForkEdit | None,
    *,
    is_own: bool,
) -> tuple[str, ForkWorkspace]:
    """Make the fork; return its id and where it works. A failed one leaves no recording.

    Of a parent that is not own nothing becomes this home's word: the fork is not sealed.
    """
    from recordings.recorder import Recorder
    from sii_cli.assembly import make_redactor
    from sii_cli.config.home_key import writing_key

    name, folder = open_store().create_folder()
    try:
        recorded = past.workspace if is_own else None
        placed = place_workspace(parent, past.seq, name, workspace, recorded)
        redactor = make_redactor(load_for_recordings()) if changed else None
        recorder = Recorder.fork(
            parent,
            past.seq,
            folder,
            name,
            redactor=redactor,
            key=writing_key() if is_own else None,
        )
        try:
            _record_own_part(recorder, parent, past, placed, changed)
        finally:
            recorder.close()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return name, placed


def _record_own_part(
    recorder: Recorder,
    parent: Path,
    past: Conversation,
    placed: ForkWorkspace,
    changed: ForkEdit | None,
) -> None:
    """Record what a fork has of its own, after the events that it shares."""
    from recordings.conversation.fork import redactions_of
    from recordings.events import SessionResume
    from sii_cli import __version__

    resume = SessionResume(
        sii_version=__version__,
        model=past.model,
        base_url=past.start.base_url,
        settings={"workspace": placed.path},
        wire=past.wire,
        lost="nothing" if changed else past.under_way,
    )
    recorder.record(resume, "harness")
    for redaction in redactions_of(parent, past.seq):
        recorder.record(redaction, "annotator")
    if placed.snapshot is not None:
        recorder.record(placed.snapshot, "harness")
    for data in changed.events if changed else ():
        recorder.record(data, "annotator")


def _shown(path: str) -> str:
    from sii_cli.text.sanitise import one_line

    return one_line(path, 300)
