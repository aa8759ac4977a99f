"""Seals recordings that a cluster's machines sent back, if they are of the session sent there."""

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
from sii_cli.session.events import QueryOrigin


def seal_received(folder: Path, about: QueryOrigin, key: HomeKey) -> bool:
    """Seal a received recording if it is of the session `about`; tell whether it is.

    It may not name a directory of this machine: the workspaces of a batch are removed with their
    sessions. Blocks. Raises `RecordingFailed`.
    """
    head = checked_head(folder)
    if not head or not _is_of(folder, about):
        return False
    put_seal(folder, key, head)
    return True


def _is_of(folder: Path, about: QueryOrigin) -> bool:
    try:
        lines = read_lines(folder)
        start: dict[str, Any] = parse_line(next(lines).text)
        for line in lines:
            if read_head(line.text).type in (SessionStart.type, SessionResume.type):
                return False
        data = SessionStart.model_validate(start["data"])
        recorded = {name: getattr(data, name) for name in asdict(about)}
    except (RecordingError, StopIteration, OSError, *MALFORMED):
        return False
    return (
        start["type"] == SessionStart.type
        and start["session"] == folder.name
        and data.mode == "batch"
        and recorded == asdict(about)
        and not os.path.lexists(data.workspace)
    )
