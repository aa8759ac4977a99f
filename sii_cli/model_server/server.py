"""Runs a vLLM server: shows its loading, says when it is ready, and leaves no process behind."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from recordings.storage.opening import open_file
from sii_cli.config.running_server import forget_server, note_server
from sii_cli.errors import INFRASTRUCTURE, SiiError
from sii_cli.model_server.vllm_command import ServeCommand

FIRST_PORT = 8000
PORTS = 100
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
STAGES = (
    (re.compile(rb"Loading safetensors checkpoint shards:\s+(\d+%)"), "loading weights"),
    (re.compile(rb"Downloading|Fetching \d+ files"), "downloading"),
    (re.compile(rb"Compiling a graph|torch\.compile takes"), "compiling"),
    (re.compile(rb"Capturing CUDA graphs?.*?(\d+%)"), "capturing graphs"),
    (re.compile(rb"KV cache size"), "making the cache"),
)
"""Stages of the start, by lines of the server's log."""

_claims: dict[int, socket.socket] = {}
"""Ports that this process has chosen, each with a socket that ends with the process."""

Say = Callable[[str], None]


class ServeFailed(SiiError):
    """Raised when the server did not start, or ended by itself."""

    exit_code = INFRASTRUCTURE


def free_port(wanted: int | None) -> int:
    """Return the port wanted, or the first free one. Raises `SiiError` when it is taken."""
    for port in (wanted,) if wanted else range(FIRST_PORT, FIRST_PORT + PORTS):
        if _is_free(port) and (port in _claims or _claim(port)):
            return port
    taken = f"Port {wanted} is" if wanted else f"The ports from {FIRST_PORT} on are"
    raise SiiError(f"{taken} taken: choose another with --port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _claim(port: int) -> bool:
    """Keep another `sii serve` off the port until this process ends: the server listens later."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0sii-serve-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


async def serve(chosen: ServeCommand, port: int, *, home: Path, log: Path, say: Say) -> None:
    """Run the server until it ends or is cancelled. Raises `ServeFailed` when it ends by itself."""
    base_url = f"http://127.0.0.1:{port}/v1"
    process = await asyncio.create_subprocess_exec(
        *chosen.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONSAFEPATH": "1"} | chosen.env,  # of `-m`: not the working directory
        start_new_session=True,
        preexec_fn=_end_with_parent,
        limit=1 << 20,
    )
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=50)
    following = asyncio.create_task(_follow(process.stdout, log, last, say))
    started = time.monotonic()
    try:
        if await _until_ready(process, port):
            note_server(home, base_url, os.getpid(), chosen.folder)
            say(f"ready after {time.monotonic() - started:.0f} s: {chosen.name} at {base_url}")
            await _exit(process)
    finally:
        forget_server(home, os.getpid())
        await _end_group(process)
        await asyncio.wait([following], timeout=1.0)
        following.cancel()
    raise ServeFailed(f"The server ended by itself: {_cause(last)} (see {log}).")


async def _until_ready(process: asyncio.subprocess.Process, port: int) -> bool:
    """Wait; false when the server ended before it was ready."""
    while process.returncode is None:
        if await _is_healthy(port):
            return True
        await asyncio.sleep(POLL_SECONDS)
    return False


async def _exit(process: asyncio.subprocess.Process) -> None:
    """Wait for the server alone: `Process.wait` waits for all that have its stdout, too."""
    while process.returncode is None:  # noqa: ASYNC110 (asyncio tells by nothing else)
        await asyncio.sleep(POLL_SECONDS)


async def _is_healthy(port: int) -> bool:
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.0\r\nhost: sii\r\n\r\n")
            line = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


async def _follow(stream: asyncio.StreamReader, log: Path, last: deque[str], say: Say) -> None:
    """Write the server's output to the log, and report each new stage."""
    doing = ""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with os.fdopen(open_file(log.parent, log.name, flags=flags), "ab") as file:
        while chunk := await stream.read(1 << 16):
            file.write(chunk)
            file.flush()
            for line in re.split(rb"[\r\n]+", chunk):
                if line.strip():
                    last.append(line.decode("utf-8", "replace").strip())
                now = _stage(line)
                if now and now != doing:
                    doing = now
                    say(now)


def _stage(line: bytes) -> str:
    for pattern, stage in STAGES:
        found = pattern.search(line)
        if found:
            return f"{stage} {found.group(1).decode()}" if pattern.groups else stage
    return ""


def _cause(last: deque[str]) -> str:
    """The last line that names an error, else the last one."""
    errors = [line for line in last if re.search(r"\b\w*(Error|Exception): ", line)]
    return (errors or list(last) or ["no output"])[-1][-300:]


def _end_with_parent() -> None:
    """In the new process: ask for SIGTERM when `sii serve` is killed (prctl(2), PR_SET_PDEATHSIG).

    vLLM ends its engine after that signal.
    """
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """End the server with everything that it has started; its engine has processes of its own."""
    _signal(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        await asyncio.wait_for(_exit(process), STOP_SECONDS)
    _signal(process.pid, signal.SIGKILL)
    await _exit(process)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
