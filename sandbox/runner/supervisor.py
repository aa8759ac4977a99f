"""The first process of a sandbox: takes frames from the client, hands them on, reaps, ends.

One thread and one loop. Ping and kill-all are answered at once whatever else happens; all that
could block is done by processes made beforehand. When the client's stream ends, this process
ends, and the kernel ends everything else with it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial

from .calls import RunnerContext, RunningCommand
from .capture import widen_pipe
from .channel import Channel
from .connections import PortConnections
from .counters import Counters
from .disk import DiskWatch
from .forwarder import Forwarder, proxy_environment
from .frames import FrameError, Head, read_frame
from .interpreter import Interpreter
from .jobs import JobProcesses
from .loop import EventLoop
from .privileges import PrivilegeError, Roles, allow_many_files, take_roles
from .processes import SandboxProcesses
from .programs import FreshShells, Programs
from .shell import Shell
from .spawn import Launcher, find_program
from .workers import WorkerPool

_WORKERS = 2
_QUIET_ENV = {
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "EDITOR": "false",
    "VISUAL": "false",
    "GIT_EDITOR": "false",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    "TERM": "dumb",
    "LANG": "C.UTF-8",
    # Bytecode is matched by size and whole seconds: a quick edit would run the old code.
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
}
"""Programs that would wait for a person end by themselves instead."""


class MissingProgram(RuntimeError):
    """The image lacks what nothing here works without."""


class Supervisor:
    """Routes the client's requests."""

    def __init__(self, config: Head) -> None:
        _require("bash")
        allow_many_files()
        loop = self.loop = EventLoop()
        if config["client_pipe"] is not None:
            _hold_open(loop, config["client_pipe"])
        if config["hosts"] is not None:
            _write_hosts(config["hosts"])
        roles = take_roles(config["workspace"], config["directory"])
        self._channel = Channel(loop, *_take_stream(), self._on_frame, lambda: os._exit(0))
        # Init is shielded from every signal that it has no handler for: python's own goes, and a
        # handler is set only where no command may send the signal.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if roles.separate:
            signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
        context = self._context = RunnerContext(
            loop, self._channel, Counters("/tmp"), config["output"]
        )
        launcher = Launcher(
            roles,
            config["workspace"],
            nice=config["nice"],
            open_files=config["open_files"],
            file_size=config["file_size"],
            env=_environment(roles, config),
        )
        if config["proxy"] is not None:
            self._forwarder = Forwarder(loop, launcher, config["proxy"])
        resident = loop, launcher, config["directory"], self._kill_everything
        self._shell = Shell(*resident)
        self._interpreter = Interpreter(*resident)
        self._fresh = FreshShells(context, launcher)
        self._programs = Programs(context, launcher)
        self._jobs = JobProcesses(
            context, launcher, lambda jobs, then: self._workers.find_ports(jobs, then)
        )
        self._connections = PortConnections(loop, self._channel)
        self._processes = SandboxProcesses(lambda: self._workers.pids)
        self._watch_disk(config["workspace"], config["disk"])
        self._hello(roles)
        self._shell.ensure_started()
        # Last, for the pages that neither process writes to from here on are shared.
        self._workers = WorkerPool(loop, self._channel, launcher, most=_WORKERS)

    def _hello(self, roles: Roles) -> None:
        owner = roles.owner
        hello: Head = {
            "ev": "hello",
            "uid": owner.uid,
            "gid": owner.gid,
            "home": owner.home,
            "separate": roles.separate,
            "python": sys.version.split()[0],
        }
        self._channel.send(hello)

    def _on_frame(self, head: Head, body: bytes) -> None:
        operation = head["op"]
        if operation == "ping":
            self._channel.send({"id": head["id"], "ev": "result"}, urgent=True)
        elif operation == "kill_all":
            self._kill_all(head["id"])
        elif operation in {"freeze", "unfreeze"}:
            self._processes.freeze() if operation == "freeze" else self._processes.unfreeze()
            self._channel.send({"id": head["id"], "ev": "result"}, urgent=True)
        elif operation in {"bash", "python"}:
            self._command(head, body)
        elif operation in {"read", "write"}:
            self._workers.submit(head, body)
        elif operation == "data":
            self._workers.more(head, body)
        elif operation == "run":
            self._programs.submit(
                head["id"],
                head["argv"],
                cwd=head["cwd"],
                timeout=head["timeout"],
                limit=head["max_output"],
            )
        elif operation == "job_start":
            self._jobs.start(head, body)
        elif operation == "job_read":
            self._jobs.read(head)
        elif operation == "job_stop":
            self._jobs.stop(head)
        elif operation == "connect":
            self._connections.connect(head)
        elif operation.startswith("conn_"):
            self._connections.on_frame(head, body)
        elif operation == "end":
            os._exit(0)
        elif operation == "abort":
            self._abort(head["target"])

    def _command(self, head: Head, body: bytes) -> None:
        restart = head.get("restart", False)
        call = RunningCommand(self._context, head["id"], body, head["timeout"], restart=restart)
        if head["op"] == "python":
            self._interpreter.submit(call)
        elif head["fresh"]:
            self._fresh.submit(call)
        else:
            self._shell.submit(call)

    def _abort(self, call_id: int) -> None:
        for runs in (self._shell, self._interpreter, self._fresh, self._programs, self._workers):
            if runs.abort(call_id):
                return

    def _watch_disk(self, workspace: str, limit: int) -> None:
        roots, begin = [workspace, "/"], time.time()
        DiskWatch(
            self.loop,
            roots,
            limit,
            self._processes,
            lambda then: self._workers.measure(roots, begin, limit, then),
            lambda: self._disk_full("disk"),
            lambda: self._disk_full("machine_disk"),
        )

    def _disk_full(self, limit: str) -> None:
        """End all processes because too much was written; results of running commands say so."""
        self._context.counters.hit[limit] += 1
        self._kill_everything()

    def _kill_everything(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        self._shell.was_killed()
        self._interpreter.was_killed()

    def _kill_all(self, call_id: int) -> None:
        self._kill_everything()
        self._channel.send({"id": call_id, "ev": "result"}, urgent=True)


def _hold_open(loop: EventLoop, path: str) -> None:
    """End when nobody holds the pipe's other end any more."""
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def look() -> None:
        with suppress(BlockingIOError):
            if not os.read(pipe, 1):
                os._exit(0)

    loop.add_reader(pipe, look)


def _write_hosts(text: str) -> None:
    """Let `localhost` be known, in a file that takes the place of whatever the image has there."""
    with suppress(OSError):  # a strange image may do without
        with suppress(FileNotFoundError):
            os.unlink("/etc/hosts")
        with open("/etc/hosts", "x") as file:
            file.write(text)


def _require(program: str) -> None:
    try:
        find_program(program, os.environ)
    except FileNotFoundError:
        message = f"its image has no {program}: add it, or use sii's own image"
        raise MissingProgram(message) from None


def _take_stream() -> tuple[int, int]:
    """Move the client's stream away from 0 and 1, where nothing else may touch it."""
    reader = os.dup(0)
    writer = os.dup(1)
    for fd in (reader, writer):
        widen_pipe(fd)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0, inheritable=False)
    os.dup2(2, 1, inheritable=False)
    os.close(null)
    return reader, writer


def _environment(roles: Roles, config: Head) -> dict[str, str]:
    owner = roles.owner
    own = {"HOME": owner.home, "USER": owner.name, "LOGNAME": owner.name, "SHELL": "/bin/bash"}
    network = {} if config["proxy"] is None else proxy_environment()
    return {**os.environ, **_QUIET_ENV, **own, **network, **config["env"]}


def main() -> None:
    """Run until the client's stream ends; its first frame says what is to be held."""
    try:
        config, _ = read_frame(partial(os.read, 0))
        supervisor = Supervisor(config)
    except (MissingProgram, PrivilegeError, FrameError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    supervisor.loop.run_forever()
