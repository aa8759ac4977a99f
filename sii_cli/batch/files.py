"""Files of a batch's folder, written so that each is there whole or as it was."""

from __future__ import annotations

import os
from pathlib import Path

from recordings.files import failure, sync_folder


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place, durably, whatever stands there. Raises `RecordingFailed`."""
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error
