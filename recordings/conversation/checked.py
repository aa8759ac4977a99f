"""A conversation whose recording was checked, kept until the recording is continued."""

from __future__ import annotations

import os
from pathlib import Path

from recordings.conversation.restore import Conversation, restore
from recordings.storage.log import LOG

_Stamp = tuple[int, ...] | None


class CheckedConversation:
    """The conversation of a recording with every line checked, so that it is not read twice."""

    def __init__(self, folder: Path) -> None:
        """Read the recording. Raises what `restore` raises."""
        self._folder = folder
        self._stamp = _stamp_of(folder)
        self.conversation = restore(folder)
        self._is_taken = False

    def take(self) -> Conversation:
        """Return the conversation, to be changed; read again where the log was written since.

        Raises what `restore` raises.
        """
        is_same = self._stamp is not None and self._stamp == _stamp_of(self._folder)
        if self._is_taken:
            return restore(self._folder)
        self._is_taken = True
        if not is_same:
            del self.conversation  # a long session is not held twice
            self.conversation = restore(self._folder)
        return self.conversation


def _stamp_of(folder: Path) -> _Stamp:
    """Return what changes with every write to a log, also where its size stays."""
    try:
        found = os.lstat(folder / LOG)
    except OSError:  # packed: it is another file once it is continued
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
