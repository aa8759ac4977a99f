"""Runs git on objects of foreign repositories: only in sii's own folders, with its own settings.

Neither the user's nor the system's configuration is read, no hook, filter, monitor or helper runs,
nothing is fetched that was not asked for, and time, memory and disk are limited.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sandbox.host_programs import find_program, safe_path
from sii_cli.queries.workspaces.errors import GitFailed
from sii_cli.queries.workspaces.stopping import check_stop, stop_of_thread

SECONDS = 600.0
_CHECK_EVERY = 0.1
MEMORY = 4 << 30
"""Bytes that one git process may use."""
PROTOCOLS = "https:http:ssh:git"
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "http.followRedirects=false",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_STDERR_SHOWN = 4000


def run_git(folder: Path, *arguments: str, max_bytes: int, remote: bool = False) -> str:
    """Run git in one of sii's own repositories; return what it prints. Blocks.

    No file may grow beyond `max_bytes`; servers are reached only if `remote`.
    Raises `GitFailed`.
    """
    with started(folder, *arguments, max_bytes=max_bytes, remote=remote) as process:
        return _stdout(process).read().decode("utf-8", "surrogateescape")


@contextmanager
def started(
    folder: Path,
    *arguments: str,
    max_bytes: int,
    remote: bool = False,
    stdin: IO[bytes] | None = None,
    seconds: float | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run git while the caller reads its output; kill it at the end. Raises `GitFailed`."""
    program = find_program("git")
    if program is None:
        raise GitFailed("git is not installed")
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [program, *settings, *arguments],
            cwd=folder,
            env=_environment(folder, remote),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            _limit(process.pid, max_bytes)
            with _time_limit(process, SECONDS if seconds is None else seconds):
                yield process
                process.wait()
        finally:
            _kill(process)
            _stdout(process).close()
        if process.returncode:
            raise GitFailed(f"git: {_error_end(errors, process.returncode)}")


def _environment(folder: Path, remote: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ssh = find_program("ssh")
    return kept | {
        "PATH": safe_path(),
        "HOME": os.devnull,  # no `.netrc` there; ssh finds its own files by the user's id
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",  # else a window of SSH_ASKPASS would ask for a password
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": PROTOCOLS if remote else "",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_SSH_COMMAND": f"'{ssh}' -oBatchMode=yes" if ssh else "false",
    }


def _limit(process: int, max_bytes: int) -> None:
    with suppress(ProcessLookupError):
        for what, most in ((resource.RLIMIT_FSIZE, max_bytes), (resource.RLIMIT_DATA, MEMORY)):
            _, hard = resource.prlimit(process, what)
            if hard == resource.RLIM_INFINITY or hard > most:
                resource.prlimit(process, what, (most, most))


@contextmanager
def _time_limit(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Kill a process that takes longer, and raise `GitFailed`; also once this thread is to stop."""
    ended, late, stop = threading.Event(), threading.Event(), stop_of_thread()

    def watch() -> None:
        until = time.monotonic() + seconds
        while not ended.wait(_CHECK_EVERY):
            if time.monotonic() >= until:
                late.set()
            if late.is_set() or (stop is not None and stop.is_set()):
                _kill(process)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
    check_stop()
    if late.is_set():
        raise GitFailed(f"git took longer than {seconds:g} s")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _error_end(errors: IO[bytes], code: int) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _STDERR_SHOWN))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with {code}"


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout
