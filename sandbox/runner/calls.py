"""One command under way: its output, its time limit, and the result frame at its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .capture import Capture
from .channel import Channel
from .counters import Counters
from .frames import CHUNK
from .loop import EventLoop, Timer


class RunnerContext:
    """What every call shares: event loop, channel, counters and the output limit."""

    def __init__(
        self, loop: EventLoop, channel: Channel, counters: Counters, output_limit: int
    ) -> None:
        self.loop = loop
        self.channel = channel
        self.counters = counters
        self.output_limit = output_limit


class Ending:
    """How a command's process ended."""

    __slots__ = ("cwd", "exit_code", "lost", "signal")

    def __init__(
        self,
        exit_code: int | None = None,
        signal: int | None = None,
        lost: str | None = None,
        cwd: str | None = None,
    ) -> None:
        self.exit_code = exit_code
        self.signal = signal
        self.lost = lost
        self.cwd = cwd

    @classmethod
    def of_status(cls, status: int, *, lost: str | None = None) -> Ending:
        """Return the ending that a wait status means."""
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status), lost=lost)
        return cls(exit_code=os.WEXITSTATUS(status), lost=lost)


class RunningCommand:
    """A command from its start to its result."""

    def __init__(
        self,
        context: RunnerContext,
        call_id: int,
        text: bytes,
        timeout: float,
        *,
        restart: bool = False,
    ) -> None:
        self.id = call_id
        self.text = text
        self.restart = restart
        self.timed_out = False
        self.ended = False
        self._context = context
        self._timeout = timeout
        self._started = 0.0
        self._deadline: Timer | None = None
        self._capture: Capture | None = None

    def begin(self, output_fd: int, on_timeout: Callable[[], None]) -> None:
        """Start the time limit and read the output; `output_fd` is the reading end of its pipe."""
        self._started = time.monotonic()
        self._before = self._context.counters.read()
        self._capture = Capture(
            self._context.loop,
            self._context.channel,
            output_fd,
            head=self._context.output_limit // 2,
            tail=self._context.output_limit // 2,
            emit=self._emit,
        )

        def expire() -> None:
            self.timed_out = True
            on_timeout()

        self._deadline = self._context.loop.call_later(self._timeout, expire)

    def _emit(self, data: bytes) -> None:
        self._context.channel.send({"id": self.id, "ev": "output"}, data)

    def end(self, ending: Ending) -> None:
        """Read the rest of the output of the ended process, then send the result."""
        if self.ended or self._capture is None:
            return
        self.ended = True
        if self._deadline is not None:
            self._deadline.cancel()
        seconds = time.monotonic() - self._started
        capture = self._capture
        capture.finish(lambda: self._send_result(capture, ending, seconds))

    @property
    def output_was_opened(self) -> bool:
        """Whether the process opened the command's output."""
        return self._capture is not None and self._capture.was_opened()

    @property
    def output_open(self) -> bool:
        """Whether a process may still write to the output."""
        return self._capture is not None and not self._capture.eof

    def _send_result(self, capture: Capture, ending: Ending, seconds: float) -> None:
        tail = capture.tail()
        body = capture.rest
        if tail:
            if body:
                self._emit(body)
            for start in range(0, len(tail), CHUNK):
                part = tail[start : start + CHUNK]
                self._context.channel.send({"id": self.id, "ev": "tail"}, part)
            body = b""
        head = {
            "id": self.id,
            "ev": "result",
            "exit_code": None if self.timed_out else ending.exit_code,
            "signal": None if self.timed_out else ending.signal,
            "seconds": round(seconds, 6),
            "timed_out": self.timed_out,
            "limits": self._context.counters.hit_since(self._before),
            "dropped": capture.dropped,
            "dropped_at": capture.head_size,
            "held": capture.held,
            "lost": ending.lost,
            "cwd": ending.cwd,
        }
        self._context.channel.send(head, body)
