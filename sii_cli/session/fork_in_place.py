"""Forks that the prompt makes of its own session: they work where the session worked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from recordings.conversation.fork import redactions_of
from recordings.conversation.restore import restore
from recordings.events import Rewind, SessionResume
from recordings.recorder import Recorder
from recordings.store.store import RecordingStore
from sii_cli import __version__
from sii_cli.assembly import make_key, make_redactor
from sii_cli.config.home_key import origin_here
from sii_cli.config.settings import Settings
from sii_cli.session.resume import ResumedRecording


def fork_in_place(
    settings: Settings, parent: Path, at: int | None, rewind: Rewind | None = None
) -> ResumedRecording:
    """Fork a session that has ended after event `at`, its last by default. Blocks.

    `rewind` says that the user went back. Of a parent that is not own the fork is not sealed.
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
            for redaction in redactions_of(parent, past.seq):
                recorder.record(redaction, "annotator")
            if rewind is not None:
                recorder.record(rewind, "human")
        finally:
            recorder.close()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return ResumedRecording(folder, is_own=is_own, runs_pending=is_own)
