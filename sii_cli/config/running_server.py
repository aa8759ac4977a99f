"""Which server `sii serve` has running, so that `sii` finds it. Quick to import."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from recordings.errors import MALFORMED
from recordings.storage.files import replace_file
from recordings.storage.opening import read_file

STATE_FILE = "server.json"
_LARGEST = 1 << 16


def note_server(home: Path, base_url: str, pid: int, folder: Path | None = None) -> None:
    """Write down a server that is ready; `folder` is its model's, as the user named it.

    Raises `RecordingFailed`.
    """
    home.mkdir(parents=True, exist_ok=True)
    state = {"base_url": base_url, "pid": pid, "folder": str(folder) if folder else None}
    replace_file(home, STATE_FILE, json.dumps(state).encode())


def forget_server(home: Path, pid: int) -> None:
    """Take out what was written down, unless another server has been since."""
    with suppress(OSError, *MALFORMED):
        if _state(home)["pid"] == pid:
            (home / STATE_FILE).unlink()


def running_server(home: Path) -> str | None:
    """Return the URL of the server that `sii serve` has running, if it has one."""
    try:
        state = _state(home)
        os.kill(int(state["pid"]), 0)
        return str(state["base_url"])
    except PermissionError:  # the process lives; it is another user's
        return str(state["base_url"])
    except (OSError, *MALFORMED):
        return None


def running_folder(home: Path) -> Path | None:
    """Return the folder of the model that `sii serve` has running, if the user named one."""
    try:
        folder = _state(home).get("folder")
    except (OSError, *MALFORMED):
        return None
    return Path(folder) if isinstance(folder, str) else None


def _state(home: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(read_file(home, STATE_FILE, most=_LARGEST))
    return state
