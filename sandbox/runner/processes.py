"""The processes below another one, and those of the whole sandbox: found, stopped and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from .loop import EventLoop

_STOPS_WITHIN = 0.1
"""Seconds that a shell may take to stop: it sleeps as a rule, and needs only a turn of the CPU."""
_LOOK_AT_SHELLS = 0.001
"""Seconds between looks whether they have stopped; looking takes CPU time from them."""
GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL."""


def children_of(pid: int) -> set[int]:
    """Return the living children of all threads of a process."""
    found: set[int] = set()
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.update(map(int, file.read().split()))
    return found


def with_descendants(pids: set[int]) -> set[int]:
    """Return the processes and all below them."""
    found: set[int] = set()
    while pids:
        found |= pids
        pids = set().union(*map(children_of, pids)) - found
    return found


def signal_with_group(pid: int, number: int, *, spared: int | None = None) -> None:
    """Signal a process with its group; alone when the group is the spared one."""
    with suppress(OSError):
        group = os.getpgid(pid)
        if group == spared:
            os.kill(pid, number)
        else:
            os.killpg(group, number)


def stop_tree(loop: EventLoop, pid: int, runs: Callable[[], bool]) -> None:
    """End a process and all below it: TERM, and KILL for what is left while `runs()`."""
    tree = with_descendants({pid})
    for one in tree:
        signal_with_group(one, signal.SIGTERM)

    def kill() -> None:
        if runs():
            for one in tree | with_descendants({pid}):
                signal_with_group(one, signal.SIGKILL)

    loop.call_later(GRACE, kill)


class SandboxProcesses:
    """All processes of the sandbox but the supervisor and those it needs (`spared`)."""

    def __init__(self, spared: Callable[[], set[int]]) -> None:
        self._spared = spared
        self._frozen = False

    def freeze(self) -> None:
        """Stop all until `unfreeze`."""
        self._frozen = True
        self.stop()

    def unfreeze(self) -> None:
        """Let all processes run again."""
        self._frozen = False
        self.resume()

    def stop(self, is_urgent: Callable[[], bool] = lambda: False) -> None:
        """Stop all.

        The shells that the supervisor started are stopped before what runs in them: they would
        tell of a command that is stopped, and take it for ended. When it is urgent they are not
        waited for.
        """
        shells = self._shells()
        for pid in shells:
            _send(pid, signal.SIGSTOP)
        until = time.monotonic() + _STOPS_WITHIN
        while not all(map(_rests, shells)) and time.monotonic() < until and not is_urgent():
            time.sleep(_LOOK_AT_SHELLS)
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGSTOP)
        for pid in self._spared():
            _send(pid, signal.SIGCONT)

    def resume(self) -> None:
        """Let all processes run again, the shells last; while all are frozen, do nothing."""
        if self._frozen:
            return
        shells = self._shells()
        others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - shells
        for pid in (*others, *shells):
            _send(pid, signal.SIGCONT)

    def _shells(self) -> set[int]:
        return children_of(os.getpid()) - self._spared()


def _rests(pid: int) -> bool:
    """Tell whether a process is stopped, or ended, or will stop before it can look at another."""
    with suppress(OSError), open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1] in {b"T", b"t", b"Z", b"X", b"D"}
    return True


def _send(pid: int, number: int) -> None:
    with suppress(OSError):
        os.kill(pid, number)
