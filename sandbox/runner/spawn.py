"""Starts programs at the commands' identity: fork, become the owner, exec."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Mapping

from .privileges import Roles, become_owner

_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Launcher:
    """What every command shares: identity, limits, environment."""

    def __init__(
        self,
        roles: Roles,
        workspace: str,
        *,
        nice: int,
        open_files: int,
        file_size: int,
        env: dict[str, str],
    ) -> None:
        self.roles = roles
        self.workspace = workspace
        self.nice = nice
        self.open_files = open_files
        self.file_size = file_size
        self.env = env

    def start(
        self,
        argv: list[str],
        fds: dict[int, int],
        *,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
    ) -> int:
        """Start `argv` in a session of its own and return its pid.

        `fds` maps the program's descriptors to the runner's; of 0, 1, 2 the others are /dev/null.
        Raises `OSError` when no process can be made. A program that cannot be run reports it on its
        stderr and ends with 126 or 127, as in a shell.
        """
        pid = os.fork()
        if pid:
            return pid
        status = 126
        try:
            os.setsid()
            _place(fds)
            become_owner(
                self.roles,
                nice=self.nice,
                open_files=self.open_files,
                file_size=self.file_size,
            )
            for number in _DEFAULT_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.umask(0o022)
            _enter(cwd, self.workspace)
            # Looked for in our own PATH: a job's may be one that has no bash.
            os.execve(find_program(argv[0], self.env), argv, self.env if env is None else env)
        except FileNotFoundError as error:
            status = 127
            _complain(argv[0], error)
        except BaseException as error:  # the child must never return into the supervisor's loop
            _complain(argv[0], error)
        os._exit(status)


def find_program(program: str, env: Mapping[str, str]) -> str:
    """Return a program's path, looked for in the environment's PATH. Raises `FileNotFoundError`."""
    if "/" in program:
        return program
    for folder in os.get_exec_path(env):
        path = os.path.join(folder, program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)


def _place(fds: dict[int, int]) -> None:
    """Move our descriptors to the numbers that the program expects."""
    null = os.open("/dev/null", os.O_RDWR)
    wanted = {0: null, 1: null, 2: null, **fds}
    # First out of the way of every target, then into place.
    lowest = max(wanted) + 1
    moved = {target: _above(source, lowest) for target, source in wanted.items()}
    for target, source in moved.items():
        os.dup2(source, target, inheritable=True)


def _above(fd: int, lowest: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)


def _enter(cwd: str | None, workspace: str) -> None:
    """Go to `cwd`, else to the workspace, else to the root: a shell starts somewhere."""
    for path in (cwd, workspace, "/"):
        if path is None:
            continue
        try:
            os.chdir(path)
            return
        except OSError:
            continue


def _complain(program: str, error: BaseException) -> None:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    os.write(2, f"{program}: {reason}\n".encode("utf-8", "replace"))
