"""Runs a session or a batch so that it can be stopped whatever freezes it.

A signal is noted in C: its number is written to a socket, also while the interpreter is held by a
call that does not return. The event loop reads the socket. So does a small child, which takes
nothing out of it: a request to stop that stays unread for two seconds was not heard, and the child
ends this process. What was completed is on the disk, and sandboxes end with their streams.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, Unpack

PATIENCE = 2.0
"""Seconds within which a request to stop is heard; what is done about it may take longer."""
_CHILD = Path(__file__).with_name("watchdog_child.py")
_STOPS = (signal.SIGTERM, signal.SIGHUP)

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as `asyncio.run` does, under a watchdog."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, _Loop)
        with _watched(loop.heard):
            return runner.run(main)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that hears signals through a socket of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self._bell = socket.socketpair()
        self._callbacks: dict[int, Callable[[], object]] = {}
        for end in (self.heard, self._bell):
            end.setblocking(False)
        self.add_reader(self.heard, self._hear)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)

    def add_signal_handler(
        self, sig: int, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts
    ) -> None:
        """Call back when a signal comes."""
        self._callbacks[sig] = lambda: callback(*args)
        signal.signal(sig, _heard_by_the_loop)
        signal.siginterrupt(sig, False)

    def remove_signal_handler(self, sig: int) -> bool:
        """Let a signal do what it does by default; say whether there was a callback."""
        if self._callbacks.pop(sig, None) is None:
            return False
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    def close(self) -> None:
        """Close the loop; signals do again what they do by default."""
        if not self.is_closed():
            for number in list(self._callbacks):
                self.remove_signal_handler(number)
            signal.set_wakeup_fd(-1)
            self.remove_reader(self.heard)
            self.heard.close()
            self._bell.close()
        super().close()

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            for number in self.heard.recv(4096):
                if callback := self._callbacks.get(number):
                    self.call_soon(callback)


def _heard_by_the_loop(number: int, frame: object) -> None:
    """Do nothing: the loop reads the number of the signal."""


@contextmanager
def _watched(heard: socket.socket) -> Iterator[None]:
    """Have a child watch the socket of signals; where none can be started, go on without."""
    stops = ",".join(str(int(number)) for number in _STOPS)
    command = [sys.executable, "-I", "-S", str(_CHILD)]
    command += [str(heard.fileno()), stops, str(int(signal.SIGINT)), str(PATIENCE)]
    child = None
    with suppress(OSError):
        child = subprocess.Popen(
            command,
            stdin=None if sys.__stdin__ and sys.__stdin__.isatty() else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[heard.fileno()],
            cwd="/",
            start_new_session=True,
        )
    try:
        yield
    finally:
        if child is not None:
            child.kill()
            child.wait()
