"""Processes that run to their end beside the shell: fresh shells, and programs with their
outputs apart.
"""

from __future__ import annotations

import os
from functools import partial

from .calls import Ending, RunnerContext, RunningCommand
from .capture import Capture
from .loop import Timer
from .processes import stop_tree
from .spawn import Launcher


class FreshShells:
    """One bash per command; they share no state and may run at the same time."""

    def __init__(self, context: RunnerContext, launcher: Launcher) -> None:
        self._context = context
        self._launcher = launcher
        self._running: dict[int, object] = {}

    def submit(self, call: RunningCommand) -> None:
        """Run the call in a bash of its own."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        argv = ["bash", "--noprofile", "--norc", "-c", os.fsdecode(call.text)]
        try:
            pid = self._launcher.start(argv, {1: writer, 2: writer})
        except OSError as error:
            call.begin(reader, lambda: None)
            os.write(writer, f"no process could be started: {error.strerror}\n".encode())
            os.close(writer)
            call.end(Ending(exit_code=126))
            return
        os.close(writer)
        self._running[pid] = call
        call.begin(reader, lambda: self._stop(pid))

        def on_exit(status: int) -> None:
            del self._running[pid]
            call.end(Ending.of_status(status))

        self._context.loop.watch_child(pid, on_exit)

    def _stop(self, pid: int) -> None:
        stop_tree(self._context.loop, pid, lambda: pid in self._running)

    def abort(self, call_id: int) -> bool:
        """End a call; False when it is unknown."""
        for pid, call in self._running.items():
            if isinstance(call, RunningCommand) and call.id == call_id:
                self._stop(pid)
                return True
        return False


class Program:
    """A program under way, stdout and stderr read apart."""

    def __init__(self, context: RunnerContext, call_id: int, limit: int) -> None:
        self.id = call_id
        self._context = context
        self._limit = limit
        self._status = 0
        self._open = 2
        self.timed_out = False
        self.deadline: Timer | None = None
        self.captures: list[tuple[Capture, str]] = []

    def read(self, fd: int, event: str) -> None:
        """Send what comes from the pipe as frames of that name."""

        def emit(data: bytes) -> None:
            self._context.channel.send({"id": self.id, "ev": event}, data)

        capture = Capture(
            self._context.loop, self._context.channel, fd, head=self._limit, tail=0, emit=emit
        )
        self.captures.append((capture, event))

    def end(self, status: int) -> None:
        """Send what is left of both outputs, then the result."""
        self._status = status
        if self.deadline is not None:
            self.deadline.cancel()
        for capture, event in self.captures:
            capture.finish(partial(self._done, capture, event))

    def _done(self, capture: Capture, event: str) -> None:
        if capture.rest:
            self._context.channel.send({"id": self.id, "ev": event}, capture.rest)
        self._open -= 1
        if self._open:
            return
        self._context.channel.send(
            {
                "id": self.id,
                "ev": "result",
                "exit_code": os.waitstatus_to_exitcode(self._status),
                "timed_out": self.timed_out,
                "truncated": any(one.dropped for one, _ in self.captures),
            }
        )


class Programs:
    """Runs programs (`Sandbox.run`)."""

    def __init__(self, context: RunnerContext, launcher: Launcher) -> None:
        self._context = context
        self._launcher = launcher
        self._running: dict[int, object] = {}

    def submit(
        self, call_id: int, argv: list[str], *, cwd: str, timeout: float, limit: int
    ) -> None:
        """Run `argv` to its end."""
        out, out_writer = os.pipe2(os.O_CLOEXEC)
        err, err_writer = os.pipe2(os.O_CLOEXEC)
        program = Program(self._context, call_id, limit)
        program.read(out, "output")
        program.read(err, "stderr")
        try:
            pid = self._launcher.start(argv, {1: out_writer, 2: err_writer}, cwd=cwd)
        except OSError as error:
            os.write(err_writer, f"no process could be started: {error.strerror}\n".encode())
            program.end(126 << 8)
            return
        finally:
            os.close(out_writer)
            os.close(err_writer)
        self._running[pid] = program

        def expire() -> None:
            program.timed_out = True
            self._stop(pid)

        def on_exit(status: int) -> None:
            del self._running[pid]
            program.end(status)

        program.deadline = self._context.loop.call_later(timeout, expire)
        self._context.loop.watch_child(pid, on_exit)

    def _stop(self, pid: int) -> None:
        stop_tree(self._context.loop, pid, lambda: pid in self._running)

    def abort(self, call_id: int) -> bool:
        """End a program; False when it is unknown."""
        for pid, program in self._running.items():
            if isinstance(program, Program) and program.id == call_id:
                self._stop(pid)
                return True
        return False
