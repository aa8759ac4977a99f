"""The session's bash: directory, variables, functions and background jobs live on."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from .calls import Ending
from .resident import CONTROL_FD, Resident

# `.` of a file and not `eval` in a function: there, `declare` would make local variables. The
# trap's `return` then leaves the sourced text. `set -m` gives every pipeline a group of its own.
# What is said per command is short, for bash reads its stdin byte by byte.
_START = """\
set -m; trap 'return 130' USR1
readonly __sii='builtin . {text} </dev/null >{output} 2>&1 {control}>&-
builtin printf "%d %s %s %s\\0" >&{control} $? "${{!:--}}" "$PWD"'
"""
_TRIGGER = b'builtin eval "$__sii" %s\n'


class Shell(Resident):
    """A bash that reads one line per command on its stdin."""

    name = "bash"
    title = "shell"
    lost_words = "variables, functions and background jobs are lost"

    def _argv(self) -> list[str]:
        return ["bash", "--noprofile", "--norc"]

    def ensure_started(self) -> None:
        """Start bash unless it runs."""
        if self._pid is None:
            super().ensure_started()
            start = _START.format(
                text=self._text_path, output=self._output_path, control=CONTROL_FD
            )
            os.write(self._stdin, start.encode())

    def _trigger(self, token: bytes) -> bytes:
        return _TRIGGER % token

    def _ending(self, answer: bytes) -> Ending:
        code, job, cwd = answer.decode("utf-8", "replace").split(" ", 2)
        self._has_children = job != "-"
        exit_code = int(code)
        return Ending(exit_code, _signal_of(exit_code), None, cwd)

    def _interrupt(self) -> None:
        if self._pid is not None:
            with suppress(OSError):
                os.kill(self._pid, signal.SIGUSR1)


def _signal_of(exit_code: int) -> int | None:
    """Return the signal that a shell's exit code stands for (128 + n)."""
    number = exit_code - 128
    return number if number in {int(known) for known in signal.Signals} else None
