"""Processes made beforehand that do what may block: file operations, as the workspace's owner.

A worker that hangs is killed and replaced. Nothing here waits.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from .channel import READ_SIZE, Channel
from .disk import written_since
from .files import WorkspaceFiles, refusal
from .frames import Frame, FrameDecoder, Head, encode
from .loop import EventLoop, Timer
from .ports import Jobs, job_ports
from .privileges import become_worker
from .spawn import Launcher

_RESPAWN_DELAY = 0.2
_TIMEOUT = 60.0
_OWN_ID = 0
"""Id of the supervisor's own operations: the client counts from 1."""


class Operation:
    """What a worker is to do; an upload's data may come while it waits."""

    def __init__(self, head: Head, body: bytes, answer: Callable[[Head, bytes], None]) -> None:
        self.id: int = head["id"]
        self.frames: list[Frame] = [(head, body)]
        self.answer = answer


class Worker:
    """One process and what it does now."""

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel
        self.operation: Operation | None = None
        self.deadline: Timer | None = None
        self.timed_out = False


class WorkerPool:
    """Hands operations to workers and their answers to the client.

    One worker is made beforehand, for none may be made when processes have run out. A sandbox has
    `most` from the first time that one was busy with another operation.
    """

    def __init__(self, loop: EventLoop, client: Channel, launcher: Launcher, *, most: int) -> None:
        self._loop = loop
        self._client = client
        self._launcher = launcher
        self._files = WorkspaceFiles(launcher.workspace)
        self._most = most
        self._workers: list[Worker] = []
        self._waiting: deque[Operation] = deque()
        self._operations: dict[int, Operation] = {}
        self._spawn()

    @property
    def pids(self) -> set[int]:
        """The workers' processes."""
        return {worker.pid for worker in self._workers}

    def submit(self, head: Head, body: bytes) -> None:
        """Start an operation of the client's when a worker is free."""

        def answer(reply: Head, data: bytes) -> None:
            self._client.send(reply | {"id": head["id"]}, data)

        self._add(Operation(head, body, answer))

    def measure(
        self, roots: list[str], begin: float, limit: int, then: Callable[[int], None]
    ) -> None:
        """Count what was written below `roots` since `begin`, up to `limit`; 0 when that fails."""
        head = {"id": _OWN_ID, "op": "measure", "roots": roots, "begin": begin, "limit": limit}
        self._add(Operation(head, b"", lambda reply, _data: then(reply.get("written", 0))))

    def find_ports(self, jobs: Jobs, then: Callable[[Head], None]) -> None:
        """Find the ports that jobs listen on; an empty answer when that fails."""
        head = {"id": _OWN_ID, "op": "ports", "jobs": list(jobs.items())}
        self._add(Operation(head, b"", lambda reply, _data: then(reply)))

    def _add(self, operation: Operation) -> None:
        self._operations[operation.id] = operation
        self._waiting.append(operation)
        self._assign()
        self._grow()

    def more(self, head: Head, body: bytes) -> None:
        """Send an upload's data to its worker; drop data of an operation that has ended."""
        operation = self._operations.get(head["id"])
        if operation is None:
            return
        worker = next((one for one in self._workers if one.operation is operation), None)
        if worker is None:
            operation.frames.append((head, body))
        else:
            worker.channel.send(head, body)

    def abort(self, call_id: int) -> bool:
        """End an operation, with its worker; False when it is unknown."""
        operation = self._operations.pop(call_id, None)
        if operation is None:
            return False
        with suppress(ValueError):
            self._waiting.remove(operation)
        for worker in self._workers:
            if worker.operation is operation:
                self._kill(worker)
        return True

    def _assign(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.operation is None and worker.channel.open:
                self._give(worker, self._waiting.popleft())

    def _give(self, worker: Worker, operation: Operation) -> None:
        worker.operation = operation

        def expire() -> None:
            worker.timed_out = True
            self._kill(worker)

        worker.deadline = self._loop.call_later(_TIMEOUT, expire)
        for head, body in operation.frames:
            worker.channel.send(head, body)
        operation.frames = []

    def _on_frame(self, worker: Worker, head: Head, body: bytes) -> None:
        if worker.operation is None:
            return
        worker.operation.answer(head, body)
        if self._client.congested:
            worker.channel.pause()
            self._client.when_drained(worker.channel.resume)
        if head["ev"] == "done":
            self._release(worker)
            self._assign()

    def _release(self, worker: Worker) -> None:
        if worker.deadline is not None:
            worker.deadline.cancel()
        if worker.operation is not None:
            self._operations.pop(worker.operation.id, None)
            worker.operation = None

    def _kill(self, worker: Worker) -> None:
        with suppress(OSError):
            os.kill(worker.pid, signal.SIGKILL)

    def _on_exit(self, worker: Worker) -> None:
        """Replace a worker; tell the client the result of its operation."""
        operation = worker.operation
        worker.channel.close()
        self._workers.remove(worker)
        self._release(worker)
        if operation is not None:
            kind = "timeout" if worker.timed_out else "other"
            message = (
                "The file operation took too long."
                if worker.timed_out
                else ("The process that did the file operation was killed: try again.")
            )
            error = {"kind": kind, "message": message}
            operation.answer({"ev": "done", "error": error}, b"")
        self._grow()

    def _grow(self) -> None:
        """Make a worker where there is none, and another while operations wait."""
        if not self._workers or (self._waiting and len(self._workers) < self._most):
            self._spawn()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            self._loop.call_later(_RESPAWN_DELAY, self._grow)
            return
        if pid == 0:
            _work(theirs.detach(), self._launcher, self._files)
        theirs.close()
        fd = ours.detach()
        worker: Worker

        def on_frame(head: Head, body: bytes) -> None:
            self._on_frame(worker, head, body)

        worker = Worker(pid, Channel(self._loop, fd, fd, on_frame, lambda: None))
        self._workers.append(worker)
        self._loop.watch_child(pid, lambda _status: self._on_exit(worker))
        self._assign()


def _work(fd: int, launcher: Launcher, files: WorkspaceFiles) -> None:
    """Be a worker: one operation after another until the supervisor is gone. Never returns."""
    try:
        os.dup2(fd, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        signal.set_wakeup_fd(-1)
        os.umask(0o022)
        become_worker(launcher.roles, file_size=launcher.file_size)
        os.chdir("/")
        _Connection(3, files).serve()
    finally:
        os._exit(0)


class _Connection:
    """The worker's end of its socket: frames in, frames out, blocking."""

    def __init__(self, fd: int, files: WorkspaceFiles) -> None:
        self._fd = fd
        self._files = files
        self._decoder = FrameDecoder()
        self._frames: Iterator[Frame] = self._receive()
        self._operations = {
            "read": self._read,
            "write": self._write,
            "measure": self._measure,
            "ports": self._ports,
        }

    def _receive(self) -> Iterator[Frame]:
        while data := os.read(self._fd, READ_SIZE):
            yield from self._decoder.feed(data)

    def serve(self) -> None:
        """Answer until the stream ends."""
        for head, body in self._frames:
            path = str(head.get("path", ""))
            try:
                answer = self._operations[head["op"]](head, body)
            except Exception as error:
                refused = refusal(error, path)
                answer = {"error": {"kind": refused.kind, "message": str(refused)}}
            self._send({"ev": "done", **answer}, b"")

    def _send(self, head: Head, body: bytes) -> None:
        view = memoryview(encode(head, body))
        while view:
            view = view[os.write(self._fd, view) :]

    def _read(self, head: Head, _body: bytes) -> Head:
        return self._files.read(head["path"], head["offset"], head["limit"], self._send)

    def _write(self, head: Head, body: bytes) -> Head:
        parts = self._parts(head["size"], body)
        try:
            return self._files.write(head["path"], parts, head["expected"])
        finally:
            for _ in parts:  # what the client still sends of a refused upload
                pass

    def _measure(self, head: Head, _body: bytes) -> Head:
        return {"written": written_since(head["roots"], head["begin"], head["limit"])}

    def _ports(self, head: Head, _body: bytes) -> Head:
        return job_ports(dict(head["jobs"]))

    def _parts(self, size: int, body: bytes) -> Iterator[bytes]:
        left = size
        while True:
            left -= len(body)
            yield body
            if left <= 0:
                return
            _head, body = next(self._frames)
