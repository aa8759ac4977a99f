"""Options that resume a recorded session, and finding it; `--restore` included."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError
from sii_cli.options.recordings import LAST, find_to_resume, warn, warn_when_void
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from recordings.conversation.restore import Conversation
    from sii_cli.config.settings import Settings
    from sii_cli.session.resume import ResumedRecording
    from sii_cli.workspace.tracker import RestoredTree


CHOOSE = "?"
"""Instead of an id: the user chooses one."""


def resume_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--continue`, `--resume`, and what goes with them, for `find_resumed`."""
    function = click.option(
        "--allow-person",
        "allowed_person",
        metavar="NAME",
        help="Resuming: also sessions of this person, from now on.",
    )(function)
    function = click.option(
        "--run-pending",
        "runs_pending",
        is_flag=True,
        help="Resuming a foreign recording: run the calls that it left.",
    )(function)
    function = click.option(
        "--restore",
        "restores",
        is_flag=True,
        help="Resuming: restore the workspace to its last snapshot first.",
    )(function)
    function = click.option(
        "-r",
        "--resume",
        "ref",
        is_flag=False,
        flag_value=CHOOSE,
        metavar="[ID]",
        help="Resume this recording (or `last`); a round that was left open continues by itself. "
        "Without ID: choose it from a list.",
    )(function)
    return click.option(
        "-c", "--continue", "go_on", is_flag=True, help="Resume the last recording."
    )(function)


NOT_RESUMED: dict[str, Any] = {
    "go_on": False,
    "ref": None,
    "restores": False,
    "runs_pending": False,
    "allowed_person": None,
}
"""The values of `resume_options` when none is given."""


class WorkspaceGone(UsageError):
    """Raised when the directory of a session is gone: it can be continued in a fork."""

    def __init__(self, folder: Path, restored: Conversation) -> None:
        """`folder` is that of the recording."""
        self.folder, self.restored = folder, restored
        self.what = f"The directory {one_line(restored.workspace, 200)} of {folder.name} is gone"
        super().__init__(
            f"{self.what}: `sii fork {folder.name} --at {restored.seq} --workspace DIR` begins a "
            "session there with its past and its files."
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say."""

    go_on: bool
    ref: str | None
    restores: bool
    runs_pending: bool
    allowed_person: str | None
    by_human: bool
    """A person can be asked at the terminal."""


def find_resumed(flags: dict[str, Any], *, by_human: bool) -> ResumedRecording | None:
    """Return the recording to resume; its workspace becomes the session's.

    Takes the options of `resume_options` out of `flags`. `by_human`: questions can be asked.
    Raises `WorkspaceGone`, `UsageError`, `RecordingError`, `SnapshotError`.
    """
    asked = _Asked(**{name: flags.pop(name) for name in NOT_RESUMED}, by_human=by_human)
    if not asked.go_on and asked.ref is None:
        given = {
            "--restore": asked.restores,
            "--run-pending": asked.runs_pending,
            "--allow-person": asked.allowed_person,
        }
        if alone := next((name for name, value in given.items() if value), None):
            raise UsageError(f"{alone} goes with --continue or --resume ID.")
        return None
    if asked.ref == CHOOSE:
        raise UsageError("Say which recording to resume: -r ID, or -c for the last one.")
    if asked.go_on and asked.ref is not None:
        raise UsageError("Say --continue or --resume ID, not both.")
    from recordings.conversation.restore import restore
    from sii_cli.config.home_key import origin_here
    from sii_cli.session.resume import ResumedRecording

    folder = find_to_resume(asked.ref or LAST)
    warn_when_void(folder)
    restored = restore(folder)
    if origin_here(folder) == "foreign":
        return _foreign(folder, restored, asked, flags)
    from sii_cli.options.persons import allow_person

    allow_person(
        folder, restored.start.speaker, flags.get("speaker"), asked.allowed_person, asked.by_human
    )
    _place(folder, restored, asked, flags)
    return ResumedRecording(folder)


def _foreign(
    folder: Path, restored: Conversation, asked: _Asked, flags: dict[str, Any]
) -> ResumedRecording:
    """Resume a foreign recording, which decides nothing. Raises `UsageError`."""
    from sii_cli.session.resume import ResumedRecording

    if flags.get("workspace") is None or asked.restores:
        where = one_line(restored.workspace, 200)
        names = f", and it names the directory {where}" if where else ""
        without = " and without --restore" if asked.restores else ""
        raise UsageError(
            f"This home cannot prove that it made the recording {folder.name}{names}: resume it "
            f"in a directory of your choice with --workspace DIR{without}, or trust all that it "
            f"names with `sii trust {folder.name}`."
        )
    return ResumedRecording(
        folder, is_own=False, runs_pending=_runs_pending(folder, restored, asked)
    )


def _runs_pending(folder: Path, restored: Conversation, asked: _Asked) -> bool:
    """Tell whether the calls that a foreign recording left are run."""
    from sii_cli.options.recorded_names import call_lines, pending_calls
    from sii_cli.render.figures import counted

    calls = pending_calls(restored)
    if not calls or asked.runs_pending:
        return asked.runs_pending
    listed = "\n".join(f"  {line}" for line in call_lines(calls))
    if asked.by_human:
        click.echo(f"The recording {folder.name} left calls that were not run:\n{listed}", err=True)
        return click.confirm("Run them?", err=True)
    count = counted(len(calls), "call", "calls")
    warn(f"Not run: {count} that the recording left (--run-pending runs them).")
    return False


def _place(folder: Path, restored: Conversation, asked: _Asked, flags: dict[str, Any]) -> None:
    """Set the workspace of a session of this home, restored if that was asked.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    from recordings.store.workspaces import last_snapshot

    if asked.restores and flags.get("workspace") is not None:
        raise UsageError(
            "--restore restores the recorded workspace: leave --workspace away (`sii fork` "
            "writes the files elsewhere)."
        )
    if flags.get("workspace") is None:
        if not os.path.isdir(restored.workspace) and not asked.restores:
            raise WorkspaceGone(folder, restored)
        flags["workspace"] = _still_there(restored.workspace)
    if asked.restores:
        _restore_workspace(folder, flags)
    elif last_snapshot(folder)[1]:
        warn(
            "Restoring an earlier state of the workspace was interrupted, so its files may be "
            "incomplete: --restore restores them."
        )


def _still_there(workspace: str) -> str:
    """Return the recorded workspace. Raises `UsageError` when it has become a link.

    It was recorded without links, and what works in a directory above it can put one there.
    """
    now = os.path.realpath(workspace)
    if now != workspace:
        raise UsageError(
            f"The recorded workspace {workspace} leads to {now} by now: if that is meant, say "
            f"--workspace {shlex.quote(now)}."
        )
    return workspace


def _restore_workspace(folder: Path, flags: dict[str, Any]) -> None:
    """Restore the workspace to its last snapshot, record that, and print what changed.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    import asyncio

    from sii_cli.options.settings import load
    from sii_cli.render.changes import change_lines

    back = asyncio.run(_restored(folder, load(flags)))
    if back is None:
        click.echo("The workspace is as its last snapshot has it.", err=True)
        return
    missing = [f"  not restored: {path}" for path in back.missing]
    lines = ["The workspace is as it was:", *change_lines(back.event), *missing]
    click.echo("\n".join(lines), err=True)


async def _restored(folder: Path, settings: Settings) -> RestoredTree | None:
    from recordings.recorder import Recorder
    from recordings.store.workspaces import last_snapshot
    from sii_cli.assembly import make_key
    from sii_cli.workspace.tracker import WorkspaceTracker

    tracker = WorkspaceTracker(settings)
    recorder = Recorder.resume(folder, key=make_key(settings))
    try:
        tracker.resume(folder)
        last, _ = last_snapshot(folder)
        if last is None:
            raise UsageError(
                f"{folder.name} has no snapshot of its workspace: resume without --restore."
            )
        tracker.report_to(lambda data: recorder.record(data, "harness"))
        return await tracker.restore(last.tree, "restore", last.step)
    finally:
        await tracker.close()
        recorder.close()
