"""Stops the making of a workspace when its session is cancelled: it may take minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from threading import Event
from typing import ParamSpec, TypeVar

from sii_cli.queries.workspaces.errors import SourceRefused

P = ParamSpec("P")
T = TypeVar("T")
_stop: ContextVar[Event | None] = ContextVar("stop", default=None)


async def in_stoppable_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns; once this is cancelled, `stop_of_thread` is set in its thread."""
    stop = Event()
    before = _stop.set(stop)
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except asyncio.CancelledError:
        stop.set()
        raise
    finally:
        _stop.reset(before)


def stop_of_thread() -> Event | None:
    """Return what stops the work of this thread, or `None` where nothing does."""
    return _stop.get()


def check_stop() -> None:
    """Raise `SourceRefused` once the work of this thread is to stop."""
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise SourceRefused("its session was stopped")
