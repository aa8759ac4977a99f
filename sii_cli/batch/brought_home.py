"""Recordings that came home from the machines of a cluster: whose they are is said here."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recordings.errors import MALFORMED, RecordingError
from recordings.events import SessionResume, SessionStart
from recordings.storage.lines import parse_line, read_head
from recordings.storage.log import read_lines
from recordings.trust.home_key import HomeKey
from recordings.trust.origin import checked_head
from recordings.trust.seal import put_seal
from sii_cli.session.events import About


def seal_what_was_sent(folder: Path, about: About, key: HomeKey) -> bool:
    """Seal a recording that just came home, if it is of the session that was sent; tell whether.

    It may name no directory of this machine: the workspaces of a batch are removed with their
    sessions. Blocks. Raises `RecordingFailed`.
    """
    head = checked_head(folder)
    if not head or not _is_of(folder, about):
        return False
    put_seal(folder, key, head)
    return True


def _is_of(folder: Path, about: About) -> bool:
    try:
        lines = read_lines(folder)
        start: dict[str, Any] = parse_line(next(lines).text)
        for line in lines:
            if read_head(line.text).type in (SessionStart.type, SessionResume.type):
                return False
        data = SessionStart.model_validate(start["data"])
        told = {name: getattr(data, name) for name in asdict(about)}
    except (RecordingError, StopIteration, OSError, *MALFORMED):
        return False
    return (
        start["type"] == SessionStart.type
        and start["session"] == folder.name
        and data.mode == "batch"
        and told == asdict(about)
        and not os.path.lexists(data.workspace)
    )
