"""The session's python: variables, imports and open files live on between calls.

The process runs `repl.py` with the image's own python, at the commands' uid. It is started by
the first call and costs nothing before.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from .calls import Ending
from .resident import CONTROL_FD, Resident

_REPL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "repl.py")


class Interpreter(Resident):
    """A python that runs one piece of code per line on its stdin."""

    name = "python"
    title = "interpreter"
    lost_words = "variables and imports are lost"

    def _argv(self) -> list[str]:
        paths = [self._text_path, self._output_path, str(CONTROL_FD), self._launcher.workspace]
        return ["python3", "-u", _REPL, *paths]

    def _trigger(self, token: bytes) -> bytes:
        return token + b"\n"

    def _ending(self, answer: bytes) -> Ending:
        code, children, cwd = answer.split(b" ", 2)
        self._has_children = children != b"0"
        return Ending(int(code), cwd=os.fsdecode(cwd) or None)

    def _interrupt(self) -> None:
        if self._pid is not None:
            with suppress(OSError):
                os.kill(self._pid, signal.SIGINT)
