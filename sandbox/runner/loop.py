"""A small event loop on epoll: file descriptors, timers and ended children, in one thread.

It is the supervisor's only loop, so nothing called from it may block.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

Callback = Callable[[], None]
OnExit = Callable[[int], None]
"""Called with the wait status of an ended child."""


class Timer:
    """A scheduled call; `cancel` prevents it."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Do not call."""
        self.callback = None


class EventLoop:
    """Waits for everything at once and calls back."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._children: dict[int, OnExit] = {}
        self._wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        self.add_reader(self._wake, self._reap)

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call when `fd` can be read or its other end is gone."""
        self._readers[fd] = callback
        self._update(fd)

    def remove_reader(self, fd: int) -> None:
        """Stop watching `fd` for reading; fine when nobody did."""
        if self._readers.pop(fd, None) is not None:
            self._update(fd)

    def add_writer(self, fd: int, callback: Callback) -> None:
        """Call when `fd` can be written."""
        self._writers[fd] = callback
        self._update(fd)

    def remove_writer(self, fd: int) -> None:
        """Stop watching `fd` for writing; fine when nobody did."""
        if self._writers.pop(fd, None) is not None:
            self._update(fd)

    def _update(self, fd: int) -> None:
        mask = (select.EPOLLIN if fd in self._readers else 0) | (
            select.EPOLLOUT if fd in self._writers else 0
        )
        if not mask:
            self._epoll.unregister(fd)
            return
        try:
            self._epoll.register(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Call once, `seconds` from now."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def watch_child(self, pid: int, on_exit: OnExit) -> None:
        """Call with its wait status when the child has ended. Must follow the fork at once."""
        self._children[pid] = on_exit

    def _reap(self) -> None:
        """Collect ended children: the runner's own, and the orphans that the kernel gave it."""
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            on_exit = self._children.pop(pid, None)
            if on_exit is not None:
                on_exit(status)

    def _run_timers(self) -> float | None:
        """Run what is due; return the seconds until the next timer."""
        while self._timers:
            due, _, timer = self._timers[0]
            if timer.callback is None:
                heapq.heappop(self._timers)
                continue
            left = due - time.monotonic()
            if left > 0:
                return left
            heapq.heappop(self._timers)
            timer.callback()
        return None

    def run_forever(self) -> None:
        """Wait for descriptors, children and timers, and call back, until the process ends."""
        while True:
            timeout = self._run_timers()
            for fd, mask in self._epoll.poll(timeout):
                if mask & ~select.EPOLLOUT and fd in self._readers:
                    self._readers[fd]()
                if mask & ~select.EPOLLIN and fd in self._writers:
                    self._writers[fd]()
