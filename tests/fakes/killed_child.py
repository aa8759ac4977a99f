"""A child of this process, killed at a random moment of its work. No interpreter is started."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from collections.abc import Callable

_ACKNOWLEDGED = struct.Struct("<q")
Acknowledge = Callable[[int], None]


def kill_at_random(
    work: Callable[[Acknowledge], object], chance: random.Random, *, within: float
) -> list[int]:
    """Fork, do `work` in the child, SIGKILL it at a moment of the next `within` seconds.

    Returns the numbers that the work acknowledged before: what it said was done. A work that ends
    by itself ends the child.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(lambda number: _write(writing, number))
        finally:
            os._exit(0)
    os.close(writing)
    try:
        time.sleep(chance.random() * within)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with open(reading, "rb") as pipe:
        data = pipe.read()
    return [number for (number,) in _ACKNOWLEDGED.iter_unpack(data)]


def _write(pipe: int, number: int) -> None:
    os.write(pipe, _ACKNOWLEDGED.pack(number))
