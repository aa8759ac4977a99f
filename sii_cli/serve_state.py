"""Which server `sii serve` has running, so that `sii` finds it. Quick to import."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

STATE_FILE = "server.json"


def note_server(home: Path, base_url: str, pid: int) -> None:
    """Write down a server that is ready."""
    home.mkdir(parents=True, exist_ok=True)
    temporary = home / f"{STATE_FILE}.{pid}"
    temporary.write_text(json.dumps({"base_url": base_url, "pid": pid}), "utf-8")
    temporary.replace(home / STATE_FILE)


def forget_server(home: Path, pid: int) -> None:
    """Take out what was written down, unless another server has been since."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads((home / STATE_FILE).read_text("utf-8"))["pid"] == pid:
            (home / STATE_FILE).unlink()


def running_server(home: Path) -> str | None:
    """Return the URL of the server that `sii serve` has running, if it has one."""
    try:
        state = json.loads((home / STATE_FILE).read_text("utf-8"))
        os.kill(int(state["pid"]), 0)
        return str(state["base_url"])
    except PermissionError:  # the process lives; it is another user's
        return str(state["base_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
