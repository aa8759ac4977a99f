"""The history of the input line."""

from __future__ import annotations

import os
from contextlib import suppress

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from recordings.storage.opening import open_file
from sii_cli.config.settings import find_key_home


class _KeptHistory(FileHistory):
    """A history in a file; a message whose line cannot be written is sent all the same."""

    def store_string(self, string: str) -> None:
        """Write a line, where there is room for it."""
        with suppress(OSError):
            super().store_string(string)


def open_history() -> History:
    """Return the history kept across sessions, or one in memory where no file can be written."""
    path = find_key_home(os.environ) / "history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(open_file(path.parent, path.name, flags=os.O_RDWR | os.O_CREAT))
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(path)


def in_memory(history: History) -> InMemoryHistory:
    """Return a history that keeps what is typed from now on in memory alone."""
    if isinstance(history, InMemoryHistory):
        return history
    return InMemoryHistory(history.get_strings())
