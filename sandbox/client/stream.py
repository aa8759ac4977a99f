"""Requests and their replies over a runner's stream, and what the stream's end means.

What carries the bytes is a transport of the backend's.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.protocol import OnOutput, SandboxError, SandboxLost
from sandbox.runner.frames import CHUNK, MAX_BODY, FrameDecoder, FrameError, Head, encode

_CHECK_EVERY = 15.0
"""Seconds after which a runner that owes a result is asked whether it lives."""
_PING_TIMEOUT = 15.0
_SLACK = 48 << 20
"""Bytes that a reply may have beyond what its call asks for: the frames of an hour's command."""
_OF_A_FRAME = 64
"""Bytes that a frame counts for beside its body."""
_MOST_UNASKED = 10_000
"""Frames that may come between two calls and belong to none, as the end of a cancelled one does."""


@dataclass(slots=True)
class _Pending:
    """A call that waits for its result."""

    result: asyncio.Future[Head]
    most: int
    """Bytes that may come for it."""
    on_output: OnOutput | None = None
    size: int = 0
    """Bytes of all that came for it."""
    output: bytearray = field(default_factory=bytearray)
    """Not the pieces: each costs more than its bytes where they are few."""
    stderr: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Reply:
    """A result with what came before it."""

    head: Head
    output: bytes
    stderr: bytes


class RunnerStream:
    """The connection to one runner: requests out, and their replies and news back, as frames.

    The backend's transport carries the bytes: it feeds what arrives, and `write` sends through it.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.hello: asyncio.Future[Head] = loop.create_future()
        self.on_event: dict[str, Callable[[Head, bytes], None]] = {}
        """What to call for news that no request asked for."""
        self.on_connection: Callable[[Head, bytes], bool] = lambda head, body: False
        """Takes frames of connections to ports; returns whether there is such a connection."""
        self.on_lost: list[Callable[[], None]] = []
        """What to call when the sandbox is gone."""
        self._decoder = FrameDecoder()
        self._pending: dict[int, _Pending] = {}
        self._unasked = 0
        """Frames since the last call that belong to none."""
        self._ids = itertools.count(1)
        self._transport: asyncio.WriteTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: str | None = None
        self._check: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None

    def connect(self, transport: asyncio.WriteTransport) -> None:
        """Write to this transport from now on."""
        self._transport = transport

    @property
    def lost(self) -> str | None:
        """Why the sandbox at the other end is gone."""
        return self._lost

    # What the transport's protocol calls.

    def pause_writing(self) -> None:
        """Called when the transport's buffer is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called when the transport's buffer has room again."""
        self._writable.set()

    def feed(self, data: bytes | memoryview) -> None:
        """Read bytes from the runner."""
        try:
            frames = self._decoder.feed(data)
            for head, body in frames:
                self._on_frame(head, body)
        except (FrameError, KeyError, TypeError) as error:
            self._give_up(error)

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Read a reply: what cannot be understood ends the stream. Raises `SandboxLost`."""
        try:
            yield
        except FrameError as error:
            self._give_up(error)
            self.check()

    def _give_up(self, error: Exception) -> None:
        self.end(f"its stream cannot be understood: {error!r:.200}")

    def end(self, reason: str) -> None:
        """End the stream: the sandbox is gone, and all waiting calls fail."""
        if self._lost is not None:
            return
        self._lost = reason
        self._writable.set()
        waiting = [self.hello, *(one.result for one in self._pending.values())]
        self._pending.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(SandboxLost(f"The sandbox is gone: {reason}."))
        if not self.hello.cancelled():  # as by who waited for it too long
            self.hello.exception()
        if self._check is not None:
            self._check.cancel()
        if self._transport is not None:
            self._transport.close()
        for tell in self.on_lost:
            tell()

    def _on_frame(self, head: Head, body: bytes) -> None:
        event = head["ev"]
        if "conn" in head and self.on_connection(head, body):
            return
        pending = self._pending.get(head["id"]) if "id" in head else None
        if pending is None:
            self._on_unasked(event, head, body)
            return
        pending.size += len(body) + _OF_A_FRAME
        if pending.size > pending.most:
            raise FrameError("it sends more than the call asks for")
        if body:
            kept = pending.stderr if event == "stderr" else pending.output
            kept += body
            if pending.on_output is not None and event != "tail" and not pending.result.done():
                _tell(pending, body)
        if event in {"result", "done"} and not pending.result.done():
            pending.result.set_result(head)

    def _on_unasked(self, event: str, head: Head, body: bytes) -> None:
        self._unasked += 1
        if self._unasked > _MOST_UNASKED:
            raise FrameError("it sends what no call asks for")
        if event == "hello":
            if not self.hello.done():
                self.hello.set_result(head)
        elif event in self.on_event:
            self.on_event[event](head, body)

    # What calls are made of.

    def write(self, head: Head, body: bytes | memoryview = b"") -> None:
        """Send one frame. Raises `SandboxLost`, and `SandboxError` for what is too large."""
        self.check()
        assert self._transport is not None
        try:
            frame = encode(head, body)
        except FrameError:
            raise SandboxError(
                f"The request is too large for the sandbox: {MAX_BODY} bytes at most. Write long "
                "texts to a file first."
            ) from None
        self._transport.write(frame)

    def check(self) -> None:
        """Raise `SandboxLost` when the sandbox at the other end is gone."""
        if self._lost is not None or self._transport is None:
            raise SandboxLost(f"The sandbox is gone: {self._lost or 'it was not started'}.")

    async def call(
        self,
        head: Head,
        body: bytes = b"",
        *,
        on_output: OnOutput | None = None,
        upload: bytes | None = None,
        asks: int = 0,
    ) -> Reply:
        """Send a request, wait for its result. Cancelling aborts it inside.

        `asks`: bytes that the result may have; a runner that sends many more is lost.
        """
        call_id = next(self._ids)
        result = asyncio.get_running_loop().create_future()
        pending = _Pending(result, asks + _SLACK, on_output)
        self._unasked = 0
        self._pending[call_id] = pending
        if self._check is None:
            self._arm_check()
        try:
            self.write({"id": call_id, **head}, body)
            if upload is not None:
                await self._upload(call_id, upload)
            end = await pending.result
            return Reply(end, bytes(pending.output), bytes(pending.stderr))
        except BaseException:  # also what the caller's `on_output` raised: nobody waits any more
            if self._lost is None:
                self.write({"op": "abort", "target": call_id})
            raise
        finally:
            self._pending.pop(call_id, None)

    async def ping(self) -> float:
        """Seconds for a round trip."""
        begin = time.perf_counter()
        await self.call({"op": "ping"})
        return time.perf_counter() - begin

    def _arm_check(self) -> None:
        loop = asyncio.get_running_loop()
        self._check = loop.call_later(_CHECK_EVERY, self._start_check)

    def _start_check(self) -> None:
        self._check = None
        if self._pending and self._lost is None:
            self._checking = asyncio.create_task(self._see_whether_it_lives())

    async def _see_whether_it_lives(self) -> None:
        try:
            await asyncio.wait_for(self.ping(), _PING_TIMEOUT)
        except TimeoutError:
            self.end(f"it did not answer for {_PING_TIMEOUT:g} s")
        except SandboxLost:
            return

    async def _upload(self, call_id: int, data: bytes) -> None:
        view = memoryview(data)
        for start in range(CHUNK, len(data), CHUNK):
            await self._writable.wait()
            self.write({"id": call_id, "op": "data"}, view[start : start + CHUNK])


def _tell(pending: _Pending, data: bytes) -> None:
    """Pass output to the caller's function; what that raises is the call's outcome."""
    assert pending.on_output is not None
    try:
        pending.on_output(data)
    except Exception as error:
        if not pending.result.done():
            pending.result.set_exception(error)
