"""Bubblewrap sandboxes: namespaces without an engine, over the host's own programs.

A fallback for machines without Docker. It holds no memory, cpu and process limits
(`SandboxInfo.unlimited` says so). Source: bwrap(1).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from sandbox.client.calls import RunnerCalls
from sandbox.client.launch import (
    DIRECTORY,
    DIRECTORY_SIZE,
    HELLO_TIMEOUT,
    HOSTS,
    MOUNTED,
    RUNNER,
    command_line,
    first_frame,
    new_name,
    real_mounts,
    real_workspace,
    removed_when_it_fails,
    shm_size,
    started,
    tmp_size,
)
from sandbox.client.stream import RunnerStream
from sandbox.host_programs import find_program
from sandbox.network.resolve import PUBLIC_WEB, ResolvePolicy
from sandbox.network.sandbox_network import SandboxNetwork
from sandbox.protocol import WORKSPACE, Mount, SandboxInfo, SandboxSpec, SandboxUnavailable
from sandbox.seccomp import call_filter

ID_VARIABLE = "SII_SANDBOX"
"""In the environment of the `bwrap` process, and not inside: the sandbox's id."""
_CLOSE_TIMEOUT = 3.0
_STDERR_KEPT = 4000
_HOME = "/home/sii"
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl", "mime.types")
"""Of the host's /etc only what programs need to run; nothing that identifies or authorises."""
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_COVERED = (
    *("acpi", "asound", "interrupts", "kcore", "key-users", "keys", "latency_stats"),
    *("sched_debug", "scsi", "timer_list", "timer_stats"),
)
_NICE = 5
"""Added to the commands' nice value: little, for they may share a control group with other programs
of the user."""
_UNLIMITED = ("memory", "cpus", "pids")
_CAPABILITIES = ("CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID")


class _Process(asyncio.SubprocessProtocol):
    """The runner's pipes: stdout goes to the stream, stderr is kept for the exit reason."""

    def __init__(self, stream: RunnerStream) -> None:
        self._stream = stream
        self._stderr = b""
        self.ended = asyncio.get_running_loop().create_future()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Read bytes from the runner."""
        if fd == 1:
            self._stream.feed(data)
        else:
            self._stderr = (self._stderr + data)[-_STDERR_KEPT:]

    def pause_writing(self) -> None:
        """Called when the pipe's buffer is full."""
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        """Called when the pipe's buffer has room again."""
        self._stream.resume_writing()

    def connection_lost(self, _error: Exception | None) -> None:
        """Called when the process has ended and its pipes are read."""
        words = self._stderr.decode("utf-8", "replace").strip()
        self._stream.end(words or "its process ended or was killed")
        if not self.ended.done():
            self.ended.set_result(None)


class BubblewrapSandbox(RunnerCalls):
    """A running runner."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        process: _Process,
        stream: RunnerStream,
        info: SandboxInfo,
        network: SandboxNetwork,
    ) -> None:
        super().__init__(stream, info.limits, network)
        self.info = info
        self._transport = transport
        self._process = process

    async def close(self) -> None:
        """End the sandbox and all that runs in it. May be called twice."""
        await self._network.close()
        await _end(self._transport, self._process, self._stream)


class BubblewrapBackend:
    """Starts sandboxes by `bwrap`."""

    name = "bubblewrap"

    def __init__(self, policy: ResolvePolicy = PUBLIC_WEB) -> None:
        self._resolve_policy = policy

    async def start(self, spec: SandboxSpec) -> BubblewrapSandbox:
        """Start a sandbox. Raises `SandboxUnavailable` with the remedy."""
        begin = time.monotonic()
        workspace = real_workspace(spec.workspace)
        program = find_program("bwrap")
        if program is None:
            raise SandboxUnavailable(
                "bubblewrap is not installed: `apt install bubblewrap`, or use Docker."
            )
        mounts = real_mounts(spec)
        stream = RunnerStream()
        name = new_name()
        network = await SandboxNetwork.open(spec, self._resolve_policy)
        async with removed_when_it_fails(network.close):
            mounts += network.mounts
            argv = [program, *_arguments(spec, workspace, mounts)]
            transport, process = await _spawn(argv, name, workspace, stream)

        async def remove() -> None:
            await network.close()
            await _end(transport, process, stream)

        stream.write(first_frame(spec, nice=_NICE))
        async with removed_when_it_fails(remove):
            info = await started(
                stream, spec, backend=self.name, name=name, begin=begin, unlimited=_UNLIMITED
            )
            sandbox = BubblewrapSandbox(transport, process, stream, info, network)
            await sandbox.prepare(spec.setup)
        return sandbox


async def _spawn(
    argv: list[str], name: str, workspace: Path, stream: RunnerStream
) -> tuple[asyncio.SubprocessTransport, _Process]:
    uid, gid = _owner(workspace)
    with ExitStack() as stack:
        fds: list[int] = []
        for file, text in (("passwd", _passwd(uid, gid)), ("group", _group(gid)), ("hosts", HOSTS)):
            fds.append(stack.enter_context(_file(text.encode())).fileno())
            argv += ["--perms", "0644", "--file", str(fds[-1]), f"/etc/{file}"]
        if program := call_filter():
            fds.append(stack.enter_context(_file(program)).fileno())
            argv += ["--seccomp", str(fds[-1])]
        argv += ["--remount-ro", "/", "--chdir", "/", "--", *command_line(_python())]
        spawning = asyncio.ensure_future(
            asyncio.get_running_loop().subprocess_exec(
                lambda: _Process(stream),
                *argv,
                pass_fds=fds,
                start_new_session=True,
                env={**os.environ, ID_VARIABLE: name},
            )
        )
        transport, process = await _in_time(spawning)
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    stream.connect(pipe)
    return transport, process


_Spawned = tuple[asyncio.SubprocessTransport, _Process]


async def _in_time(spawning: asyncio.Future[_Spawned]) -> _Spawned:
    """Wait for a start. Raises `SandboxUnavailable` when it takes too long.

    It is never cancelled half-way, which can hang: nobody waits for it any more, and it is ended
    when it is there.
    """
    try:
        return await asyncio.wait_for(asyncio.shield(spawning), HELLO_TIMEOUT)
    except TimeoutError:
        spawning.add_done_callback(_end_late)
        raise SandboxUnavailable(f"bwrap did not start within {HELLO_TIMEOUT:g} s.") from None
    except asyncio.CancelledError:
        spawning.add_done_callback(_end_late)
        raise


def _end_late(spawning: asyncio.Future[_Spawned]) -> None:
    if spawning.cancelled() or spawning.exception() is not None:
        return
    transport, _ = spawning.result()
    with suppress(ProcessLookupError):
        transport.kill()
    transport.close()


async def _end(
    transport: asyncio.SubprocessTransport, process: _Process, stream: RunnerStream
) -> None:
    """Wait for the runner's end; then kill it."""
    stream.end("it was closed")
    try:
        await asyncio.wait_for(asyncio.shield(process.ended), _CLOSE_TIMEOUT)
    except TimeoutError:
        transport.kill()
    transport.close()


def _arguments(spec: SandboxSpec, workspace: Path, mounts: tuple[Mount, ...]) -> Iterator[str]:
    """Yield bwrap's options; what is not named here does not exist inside."""
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts")
    yield from ("--unshare-cgroup-try", "--as-pid-1", "--die-with-parent", "--new-session")
    yield from ("--hostname", "sandbox", "--clearenv")
    if os.geteuid() == 0:
        for capability in _CAPABILITIES:
            yield from ("--cap-add", capability)
    else:
        yield "--unshare-user"
    yield from ("--setenv", "PATH", _path(), "--setenv", "HOME", _HOME)
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _MERGED:
        source = Path("/", name)
        if source.is_symlink():
            yield from ("--symlink", os.readlink(source), str(source))
        elif source.is_dir():
            yield from ("--ro-bind", str(source), str(source))
    for folder in ("/etc", "/opt", "/opt/sii"):
        yield from ("--perms", "0755", "--dir", folder)
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    if not _python().startswith("/usr/"):
        yield from ("--ro-bind", sys.base_prefix, sys.base_prefix)
    # Read-only, for uid 0 could write the host's /proc/sys without any capability.
    yield from ("--proc", "/proc", *_covered(), "--remount-ro", "/proc", "--dev", "/dev")
    for path, size, mode in (
        ("/dev/shm", shm_size(spec), "1777"),
        ("/tmp", tmp_size(spec), "1777"),
        (_HOME, tmp_size(spec), "0755"),
        (DIRECTORY, DIRECTORY_SIZE, "0711"),
    ):
        yield from ("--perms", mode, "--size", str(size), "--tmpfs", path)
    yield from ("--remount-ro", "/dev")  # a file system in memory, and without a limit
    yield from ("--ro-bind", str(RUNNER), MOUNTED)
    yield from ("--ro-bind" if spec.read_only else "--bind", str(workspace), WORKSPACE)
    for mount in mounts:
        yield from ("--ro-bind", str(mount.source), mount.target)


def _covered() -> Iterator[str]:
    """Yield what covers the files and folders of /proc that tell of the host, as Docker does."""
    for name in _COVERED:
        path = Path("/proc", name)
        if path.is_dir():
            yield from ("--size", str(1 << 12), "--tmpfs", str(path), "--remount-ro", str(path))
        elif path.exists():
            yield from ("--ro-bind", "/dev/null", str(path))


def _owner(workspace: Path) -> tuple[int, int]:
    """Return who commands will be: the workspace's owner, for any but root ourselves."""
    if os.geteuid() != 0:
        return os.getuid(), os.getgid()
    status = workspace.stat()
    return status.st_uid, status.st_gid


def _python() -> str:
    """Return a python that is there inside: the system's, else the one that runs us."""
    system = Path("/usr/bin/python3")
    return str(system) if system.exists() else str(Path(sys.base_prefix, "bin", "python3"))


def _path() -> str:
    return f"{Path(_python()).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _passwd(uid: int, gid: int) -> str:
    root = "root:x:0:0:root:/home/sii:/bin/bash\n"
    return root if uid == 0 else f"{root}sii:x:{uid}:{gid}::{_HOME}:/bin/bash\n"


def _group(gid: int) -> str:
    return "root:x:0:\n" if gid == 0 else f"root:x:0:\nsii:x:{gid}:\n"


def _file(data: bytes) -> IO[bytes]:
    """Return an open file without a name that holds the bytes."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    file.write(data)
    file.seek(0)
    return file
