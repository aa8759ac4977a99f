"""Options that resume a recorded session, and finding it; `--restore` included."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError
from sii_cli.options.recordings import LAST, find_to_resume, warn, warn_when_void
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from recordings.conversation.checked import CheckedConversation
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
class ResumeRequest:
    """The recording that the options name, and how it is to be resumed."""

    folder: Path
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
    request = read_request(flags, by_human=by_human)
    if request is None:
        return None
    from recordings.conversation.checked import CheckedConversation

    return settle(request, CheckedConversation(request.folder), flags)


def read_request(flags: dict[str, Any], *, by_human: bool) -> ResumeRequest | None:
    """Return what the options of `resume_options` ask for, and take them out of `flags`.

    Raises `UsageError`, `RecordingNotFound`.
    """
    go_on, ref, restores, runs_pending, allowed_person = (flags.pop(one) for one in NOT_RESUMED)
    if not go_on and ref is None:
        given = {
            "--restore": restores,
            "--run-pending": runs_pending,
            "--allow-person": allowed_person,
        }
        if alone := next((name for name, value in given.items() if value), None):
            raise UsageError(f"{alone} goes with --continue or --resume ID.")
        return None
    if ref == CHOOSE:
        raise UsageError("Say which recording to resume: -r ID, or -c for the last one.")
    if go_on and ref is not None:
        raise UsageError("Say --continue or --resume ID, not both.")
    folder = find_to_resume(ref or LAST)
    return ResumeRequest(folder, restores, runs_pending, allowed_person, by_human)


def settle(
    request: ResumeRequest, checked: CheckedConversation, flags: dict[str, Any]
) -> ResumedRecording:
    """Return the recording, after the warnings and questions about it; sets the workspace.

    Raises `WorkspaceGone`, `UsageError`, `RecordingError`, `SnapshotError`.
    """
    from sii_cli.config.home_key import origin_here_of
    from sii_cli.options.persons import allow_person
    from sii_cli.session.resume import ResumedRecording

    folder, restored = request.folder, checked.conversation
    warn_when_void(folder)
    if origin_here_of(folder, restored) == "foreign":
        runs_pending = _settle_foreign(request, restored, flags)
        return ResumedRecording(folder, False, runs_pending, checked)
    speaker = flags.get("speaker")
    allow_person(folder, restored.start.speaker, speaker, request.allowed_person, request.by_human)
    _place(request, restored, flags)
    return ResumedRecording(folder, checked=checked)


def _settle_foreign(request: ResumeRequest, restored: Conversation, flags: dict[str, Any]) -> bool:
    """Return whether the pending calls of a foreign recording, which decides nothing, are run.

    Raises `UsageError`.
    """
    if flags.get("workspace") is None or request.restores:
        where = one_line(restored.workspace, 200)
        names = f", and it names the directory {where}" if where else ""
        without = " and without --restore" if request.restores else ""
        name = request.folder.name
        raise UsageError(
            f"This home cannot prove that it made the recording {name}{names}: resume it "
            f"in a directory of your choice with --workspace DIR{without}, or trust all that it "
            f"names with `sii trust {name}`."
        )
    return _runs_pending(request, restored)


def _runs_pending(request: ResumeRequest, restored: Conversation) -> bool:
    """Tell whether the calls that a foreign recording left are run."""
    from sii_cli.options.recorded_names import call_lines, pending_calls
    from sii_cli.render.figures import counted

    calls = pending_calls(restored)
    if not calls or request.runs_pending:
        return request.runs_pending
    listed = "\n".join(f"  {line}" for line in call_lines(calls))
    if request.by_human:
        name = request.folder.name
        click.echo(f"The recording {name} left calls that were not run:\n{listed}", err=True)
        return click.confirm("Run them?", err=True)
    count = counted(len(calls), "call", "calls")
    warn(f"Not run: {count} that the recording left (--run-pending runs them).")
    return False


def _place(request: ResumeRequest, restored: Conversation, flags: dict[str, Any]) -> None:
    """Set the workspace of a session of this home, restored if that was asked.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    if request.restores and flags.get("workspace") is not None:
        raise UsageError(
            "--restore restores the recorded workspace: leave --workspace away (`sii fork` "
            "writes the files elsewhere)."
        )
    if flags.get("workspace") is None:
        if not os.path.isdir(restored.workspace) and not request.restores:
            raise WorkspaceGone(request.folder, restored)
        flags["workspace"] = _still_there(restored.workspace)
    if flags.get("data") is None and restored.data_sets.known:
        flags["data"] = _still_known(restored.data_sets.known)
    if request.restores:
        _restore_workspace(request.folder, restored, flags)
    elif restored.snapshots.restore_broke_off:
        warn(
            "Restoring an earlier state of the workspace was interrupted, so its files may be "
            "incomplete: --restore restores them."
        )


def _still_known(names: Iterable[str]) -> list[str] | None:
    """Return the recorded data sets that the home has; warn of the others."""
    from sii_cli.config.settings import find_key_home
    from sii_cli.data_sets.registry import names_of

    here = set(names_of(find_key_home(os.environ)))
    for name in names:
        if name not in here:
            warn(
                f"The session goes on without the data set {name}, which this home does not have: "
                f"`sii data add {name} PATH` adds it."
            )
    return [name for name in names if name in here] or None


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


def _restore_workspace(folder: Path, restored: Conversation, flags: dict[str, Any]) -> None:
    """Restore the workspace to its last snapshot, record that, and print what changed.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    import asyncio

    from sii_cli.options.settings import load
    from sii_cli.render.changes import change_lines

    back = asyncio.run(_restored(folder, restored, load(flags)))
    if back is None:
        click.echo("The workspace is as its last snapshot has it.", err=True)
        return
    missing = [f"  not restored: {path}" for path in back.missing]
    lines = ["The workspace is as it was:", *change_lines(back.event), *missing]
    click.echo("\n".join(lines), err=True)


async def _restored(
    folder: Path, restored: Conversation, settings: Settings
) -> RestoredTree | None:
    from recordings.recorder import Recorder
    from recordings.store.workspaces import last_snapshot
    from sii_cli.assembly import make_key
    from sii_cli.workspace.tracker import WorkspaceTracker

    tracker = WorkspaceTracker(settings)
    recorder = Recorder.resume(folder, key=make_key(settings))
    try:
        tracker.resume(restored.snapshots)
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
