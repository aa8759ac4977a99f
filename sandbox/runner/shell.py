"""The session's bash: directory, variables, functions and background jobs live on."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from .calls import Ending, RunningCommand
from .capture import unread
from .loop import Timer
from .resident import CONTROL_FD, Resident

# `.` of a file and not `eval` in a function: there, `declare` would make local variables.
# `set -m` gives every pipeline a group of its own. Without `enable` no command can take away the
# builtins that the next one is run by; `\\` keeps aliases off them. What is said per command is
# short, for bash reads its stdin byte by byte.
_START = r"""
set -m; enable -n enable; trap '{stop}' USR1
readonly __sii='\builtin . {text} </dev/null >{output} 2>&1 {control}>&-
\builtin printf "%d %s %s %s\0" >&{control} "$?" "${{!:--}}" "${{PWD-}}"'
"""
# `return` leaves the innermost function or file alone, and what called it would go on: so every
# command to come returns as well, until there is nothing left to return from.
_STOP = (
    r'\builtin trap "\builtin return 130 2>/dev/null || \builtin trap - DEBUG" DEBUG;'
    r" \builtin return 130"
)
_TRIGGER = b'\\builtin eval "$__sii" %s\n\n'
"""Bash reads the second line when it is done with the first: it has answered or never will."""
_LOOK_EVERY = 1.0
_UNRESPONSIVE = "it stopped listening (`set -n`, or a builtin that a command redefined)"
_SIGNALS = frozenset(map(int, signal.Signals))


class Shell(Resident):
    """A bash that reads one line per command on its stdin."""

    name = "bash"
    title = "shell"
    lost_words = "variables, functions and background jobs are lost"
    _next_look: Timer | None = None

    def _argv(self) -> list[str]:
        return ["bash", "--noprofile", "--norc"]

    def ensure_started(self) -> None:
        """Start bash unless it runs."""
        if self._pid is None:
            super().ensure_started()
            start = _START.format(
                stop=_STOP, text=self._text_path, output=self._output_path, control=CONTROL_FD
            )
            os.write(self._stdin, start.encode())

    def _trigger(self, token: bytes) -> bytes:
        return _TRIGGER % token

    def _began(self, call: RunningCommand) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self._next_look = self._loop.call_later(_LOOK_EVERY, lambda: self._look(call))

    def _look(self, call: RunningCommand) -> None:
        """See whether bash still works on the command, or has read on without an answer."""
        if self._call is not call:
            return
        if unread(self._stdin):
            self._began(call)
            return
        self._on_control()  # it may have answered this very moment
        if self._call is call:
            self._give_up(_UNRESPONSIVE)

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
    """Return the signal that a shell's exit code means (128 + n)."""
    number = exit_code - 128
    return number if number in _SIGNALS else None
