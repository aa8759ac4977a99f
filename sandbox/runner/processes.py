"""What runs below a process, and how all of it is signalled."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from .loop import Loop

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


def stop_tree(loop: Loop, pid: int, runs: Callable[[], bool]) -> None:
    """End a process and all below it: TERM, and KILL for what is left while `runs()`."""
    tree = with_descendants({pid})
    for one in tree:
        signal_with_group(one, signal.SIGTERM)

    def kill() -> None:
        if runs():
            for one in tree | with_descendants({pid}):
                signal_with_group(one, signal.SIGKILL)

    loop.call_later(GRACE, kill)
