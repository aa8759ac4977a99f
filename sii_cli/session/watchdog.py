"""Runs a session or a batch so that it can be stopped whatever freezes it.

A signal is noted in C: its number is written to a socket, also while the interpreter is held by a
call that does not return. The event loop reads the socket. So does a small child, which takes
nothing out of it: a request to stop that stays unread for two seconds has no effect, so the child
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
"""Seconds within which a request to stop must be read; stopping itself may take longer."""
_CHILD = Path(__file__).with_name("watchdog_child.py")
_STOPS = (signal.SIGTERM, signal.SIGHUP)

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as `asyncio.run` does, under a watchdog."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, _Loop)
        with _watched(loop.signals):
            return runner.run(main)


@contextmanager
def watched() -> Iterator[None]:
    """Let a second Ctrl-C end this process where the first had no effect, without an event loop."""
    signals, bell = socket.socketpair()
    bell.setblocking(False)
    with signals, bell:
        signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
        try:
            with _watched(signals):
                yield
        finally:
            signal.set_wakeup_fd(-1)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that reads signals from a socket of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.signals, self._bell = socket.socketpair()
        self._callbacks: dict[int, Callable[[], object]] = {}
        for end in (self.signals, self._bell):
            end.setblocking(False)
        self.add_reader(self.signals, self._read_signals)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)

    def add_signal_handler(
        self, sig: int, callback: Callable[[Unpack[_Ts]], object], *args: *_Ts
    ) -> None:
        """Call back when a signal comes."""
        self._callbacks[sig] = lambda: callback(*args)
        signal.signal(sig, _ignore)
        signal.siginterrupt(sig, False)

    def remove_signal_handler(self, sig: int) -> bool:
        """Restore what a signal does by default; return whether there was a callback."""
        if self._callbacks.pop(sig, None) is None:
            return False
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    def close(self) -> None:
        """Close the loop; restore what signals do by default."""
        if not self.is_closed():
            for number in list(self._callbacks):
                self.remove_signal_handler(number)
            signal.set_wakeup_fd(-1)
            self.remove_reader(self.signals)
            self.signals.close()
            self._bell.close()
        super().close()

    def _read_signals(self) -> None:
        with suppress(BlockingIOError):
            for number in self.signals.recv(4096):
                if callback := self._callbacks.get(number):
                    self.call_soon(callback)


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the event loop reads the number of the signal from its socket."""


@contextmanager
def _watched(signals: socket.socket) -> Iterator[None]:
    """Let a child read the socket of signals, too; where it cannot start, continue without."""
    stops = ",".join(str(int(number)) for number in _STOPS)
    command = [sys.executable, "-I", "-S", str(_CHILD)]
    command += [str(signals.fileno()), stops, str(int(signal.SIGINT)), str(PATIENCE)]
    child = None
    with suppress(OSError):
        child = subprocess.Popen(
            command,
            stdin=None if sys.__stdin__ and sys.__stdin__.isatty() else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[signals.fileno()],
            cwd="/",
            start_new_session=True,
        )
    try:
        yield
    finally:
        if child is not None:
            child.kill()
            child.wait()
