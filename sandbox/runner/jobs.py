"""Commands in the background: each a bash of its own, its last output kept until it is read."""

from __future__ import annotations

import os
from collections import deque

from .calls import Ending, RunnerContext
from .capture import Capture
from .counters import Counts
from .frames import CHUNK, Head
from .ports import FindPorts, PortWatch
from .processes import stop_tree
from .spawn import Launcher

_KEPT = 1 << 20
"""Bytes of unread output that a job's tail holds."""
_KEPT_ENDED = 32
"""Jobs whose output is kept once they have ended: the last ones."""


class _Job:
    """One job; `capture` holds what it wrote."""

    def __init__(self, pid: int, capture: Capture, before: Counts) -> None:
        self.pid: int | None = pid
        self.capture = capture
        self.before = before


class JobProcesses:
    """Starts jobs, sends their output when asked, and reports their end to the client."""

    def __init__(self, context: RunnerContext, launcher: Launcher, find_ports: FindPorts) -> None:
        self._context = context
        self._launcher = launcher
        self._jobs: dict[int, _Job] = {}
        self._ended: deque[Capture] = deque()
        self._ports = PortWatch(context.loop, self._running, find_ports, self._port_opened)

    def start(self, head: Head, body: bytes) -> None:
        """Start the command in the body; `env` and `cwd` are the shell's, where known."""
        job_id = head["job"]
        before = self._context.counters.read()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        argv = ["bash", "--noprofile", "--norc", "-c", os.fsdecode(body)]
        try:
            pid = self._launcher.start(
                argv, {1: writer, 2: writer}, cwd=head["cwd"], env=head["env"]
            )
        except OSError as error:
            os.close(reader)
            self._answer(head, {"error": f"No process could be started: {error.strerror}."})
            return
        finally:
            os.close(writer)
        capture = Capture(
            self._context.loop, self._context.channel, reader, head=0, tail=_KEPT, emit=_nothing
        )
        job = self._jobs[job_id] = _Job(pid, capture, before)
        self._context.loop.watch_child(pid, lambda status: self._on_exit(job_id, job, status))
        self._ports.begin()
        self._answer(head, {})

    def _running(self) -> dict[int, int]:
        return {job_id: job.pid for job_id, job in self._jobs.items() if job.pid is not None}

    def _port_opened(self, job_id: int, port: int) -> None:
        self._context.channel.send({"ev": "port", "job": job_id, "port": port})

    def _on_exit(self, job_id: int, job: _Job, status: int) -> None:
        job.pid = None
        ending = Ending.of_status(status)

        def tell() -> None:
            self._ended.append(job.capture)
            if len(self._ended) > _KEPT_ENDED:
                self._ended.popleft().forget()
            event: Head = {
                "exit_code": ending.exit_code,
                "signal": ending.signal,
                "limits": self._context.counters.hit_since(job.before),
            }
            self._context.channel.send({"ev": "job_end", "job": job_id, **event})

        job.capture.finish(tell)

    def read(self, head: Head) -> None:
        """Send what came after `offset` (all that was ever written counts), at most `limit`."""
        job = self._jobs[head["job"]]
        job.capture.read_now()
        offset, data = job.capture.tail_from(head["offset"])
        data = data[: head["limit"]]
        for start in range(0, len(data), CHUNK):
            part = data[start : start + CHUNK]
            self._context.channel.send({"id": head["id"], "ev": "output"}, part)
        self._answer(head, {"offset": offset})

    def stop(self, head: Head) -> None:
        """End a job; its end is reported as usual."""
        job = self._jobs[head["job"]]
        if job.pid is not None:
            stop_tree(self._context.loop, job.pid, lambda: job.pid is not None)
        self._answer(head, {})

    def _answer(self, head: Head, answer: Head) -> None:
        self._context.channel.send({"id": head["id"], "ev": "result", **answer})


def _nothing(_data: bytes) -> None:
    """A job's output is kept and not streamed."""
