"""Runs the blocking work of snapshots in threads of its own, so that the event loop continues."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TypeVar

_MOST = 4
T = TypeVar("T")


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Return what `work` returns; on cancellation set the event it was given and see it end."""
    stop = threading.Event()
    job = _pool().submit(work, stop)
    done = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        stop.set()
        if not job.cancel():
            await asyncio.wait([done])
        with suppress(BaseException):
            done.exception()  # retrieved: nobody else is waiting for it
        raise


@cache
def _pool() -> ThreadPoolExecutor:
    """A few threads for all sessions, apart from those that other work waits for."""
    return ThreadPoolExecutor(min(_MOST, os.cpu_count() or 1), thread_name_prefix="snapshots")
