"""Forks that work in the directory that the settings name, such as that of the session itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from recordings.conversation.fork import redactions_of
from recordings.conversation.restore import restore
from recordings.events import Rewind, SentBack, SessionResume, Snapshot
from recordings.recorder import Recorder
from recordings.store.store import RecordingStore
from sii_cli import __version__
from sii_cli.assembly import make_key, make_redactor
from sii_cli.config.home_key import origin_here
from sii_cli.config.settings import Settings
from sii_cli.session.resume import ResumedRecording


def fork_in_place(
    settings: Settings,
    parent: Path,
    at: int | None,
    why: Rewind | SentBack | None = None,
    files: Snapshot | None = None,
) -> ResumedRecording:
    """Fork a session that has ended after event `at`, its last by default. Blocks.

    `why` says that the user went back, or that a reviewer sent it back; `files` are those that were
    written for it. Of a parent that is not own the fork is not sealed.
    Raises `RecordingError`; a fork that failed leaves no recording.
    """
    past = restore(parent, at)
    is_own = origin_here(parent) != "foreign"
    name, folder = RecordingStore(settings.home / "recordings").create_folder()
    try:
        recorder = Recorder.fork(
            parent,
            past.seq,
            folder,
            name,
            redactor=make_redactor(settings),
            key=make_key(settings) if is_own else None,
        )
        try:
            resume = SessionResume(
                sii_version=__version__,
                model=past.model,
                base_url=past.start.base_url,
                settings={"workspace": os.fspath(settings.workspace)},
                wire=past.wire,
                lost=past.under_way,
            )
            recorder.record(resume, "harness")
            if isinstance(why, SentBack):
                recorder.record(why, "annotator")
            for redaction in redactions_of(parent, past.seq):
                recorder.record(redaction, "annotator")
            if isinstance(why, Rewind):
                recorder.record(why, "human")
            if files is not None:
                recorder.record(files, "harness")
        finally:
            recorder.close()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return ResumedRecording(folder, is_own=is_own, runs_pending=is_own)
