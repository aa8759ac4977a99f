"""Makes the recording of a fork, and the directory that it works in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sii_cli.fork.workspace import ForkWorkspace, place_workspace
from sii_cli.options.recordings import open_store
from sii_cli.options.settings import load_for_recordings

if TYPE_CHECKING:
    from recordings.conversation.restore import Conversation
    from recordings.recorder import Recorder
    from sii_cli.fork.edit import ForkEdit


def make_fork(
    parent: Path,
    past: Conversation,
    workspace: Path | None,
    changed: ForkEdit | None = None,
    *,
    is_own: bool,
) -> tuple[str, ForkWorkspace]:
    """Make the fork; return its id and where it works. A failed one leaves no recording.

    Of a parent that is not own nothing becomes this home's word: the fork is not sealed.
    Raises `UsageError`, `RecordingError`, `SnapshotError`.
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
