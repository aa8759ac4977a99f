"""The folder of a home in which its sessions share answers and the pace of requests.

Everything in it is derived, bounded and may be deleted at any time. A file system that fails or is
full costs the sharing, and no question.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from tools.web.services.request import LONGEST_WAIT, MAX_ANSWER, ServiceError

MAX_AGE = 24 * 3600.0
"""Seconds for which an answer is given again."""
MOST_ANSWERS = 2000
MOST_BYTES = 64 << 20
"""Of all answers, compressed."""
LONGEST_QUEUE = 120.0
"""Seconds that a question waits for its turn at a service."""
_LONGEST_LOCK = 300.0
"""Seconds that a question waits for another session that asks the same."""
_LONGEST_PACE_LOCK = 2.0
"""Seconds that a question waits for another that takes its turn, which takes no time."""
_POLL = 0.02
_LOCKS = 3
"""Hexadecimal digits of a question's key that name its lock: files of locks are not deleted."""
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOCKED = os.O_RDWR | os.O_CREAT | _OPEN
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DAMAGED = (OSError, ValueError, KeyError, TypeError, zlib.error)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a service answered, or why it did not."""

    time: float
    """When it was asked, in seconds since the epoch."""
    body: bytes = b""
    failure: str = ""


class SharedFolder:
    """Answers by the key of their question, a lock for each, and a pace for each service."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, key: str) -> KeptAnswer | None:
        """Return what is kept of a question, also a failure; `None` when it is old or damaged."""
        try:
            with self._folder("answers") as folder:
                file = os.open(key, os.O_RDONLY | _OPEN, dir_fd=folder)
            with open(file, "rb") as reader:
                head, _, packed = reader.read(MAX_ANSWER << 1).partition(b"\n")
            known = orjson.loads(head)
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(packed, MAX_ANSWER + 1) if packed else b""
            kept = KeptAnswer(float(known["time"]), body, str(known["failure"]))
        except _DAMAGED:
            return None
        is_whole = not packed or (unpacker.eof and len(body) <= MAX_ANSWER)
        return kept if is_whole and 0 <= time.time() - kept.time < MAX_AGE else None

    def keep(self, key: str, kept: KeptAnswer) -> None:
        """Keep an answer, and delete the oldest where there are too many."""
        head = orjson.dumps({"time": kept.time, "failure": kept.failure})
        packed = zlib.compress(kept.body, 1) if kept.body else b""
        with suppress(OSError), self._folder("answers") as folder:
            temporary, new = f".{secrets.token_hex(8)}", os.O_WRONLY | os.O_CREAT | os.O_EXCL
            file = os.open(temporary, new | _OPEN, 0o600, dir_fd=folder)
            try:
                with open(file, "wb") as writer:
                    writer.write(head + b"\n" + packed)
                os.replace(temporary, key, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(temporary, dir_fd=folder)
                raise
            _delete_oldest(folder)

    @asynccontextmanager
    async def locked(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of a question. Raises `ServiceError` when another holds it too long."""
        try:
            with self._folder("locks") as folder:
                file = os.open(key[:_LOCKS], _LOCKED, 0o600, dir_fd=folder)
        except OSError:
            yield
            return
        try:
            if not await _locked_within(file, _LONGEST_LOCK):
                raise ServiceError("Another session asks the same and does not finish.")
            yield
        finally:
            os.close(file)

    async def book(self, service: str, pace: float) -> float:
        """Take the next turn at a service; return the seconds until it.

        Raises `ServiceError` when that is too late for a call to wait.
        """
        async with self._due(service) as due:
            now = time.time()
            turn = max(now, due.read(now))
            if turn - now > LONGEST_QUEUE:
                raise ServiceError(
                    f"{service} can be asked again in {turn - now:.0f} s, which is longer than a "
                    "call waits."
                )
            due.write(turn + pace)
        return turn - now

    async def delay(self, service: str, seconds: float) -> None:
        """Let nobody ask a service for so long."""
        async with self._due(service) as due:
            now = time.time()
            due.write(max(now + seconds, due.read(now)))

    @asynccontextmanager
    async def _due(self, service: str) -> AsyncIterator[_Due]:
        """Hold the time from which a service may be asked; a process that holds it for long and
        was stopped, perhaps, costs the pace."""
        try:
            with self._folder("pace") as folder:
                file = os.open(service, _LOCKED, 0o600, dir_fd=folder)
        except OSError:
            yield _Due(None)
            return
        try:
            is_held = await _locked_within(file, _LONGEST_PACE_LOCK)
            yield _Due(file if is_held else None)
        finally:
            os.close(file)

    @contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        """Open a folder, made where it is missing. No link is followed below the home: files
        would be deleted elsewhere. Raises `OSError`.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            folder = os.open(self._path.parent, _DIRECTORY)
            stack.callback(os.close, folder)
            for inner in (self._path.name, name):
                with suppress(FileExistsError):
                    os.mkdir(inner, 0o700, dir_fd=folder)
                folder = os.open(inner, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                stack.callback(os.close, folder)
            yield folder


@dataclass(frozen=True, slots=True)
class _Due:
    """The time from which a service may be asked, in a file that is locked."""

    file: int | None

    def read(self, now: float) -> float:
        """Return the time, or 0 where it is missing or cannot be right: clocks are set."""
        try:
            due = float(os.pread(self.file, 64, 0)) if self.file is not None else 0.0
        except (OSError, ValueError):
            return 0.0
        return due if due <= now + LONGEST_WAIT + LONGEST_QUEUE else 0.0

    def write(self, due: float) -> None:
        """Replace the time."""
        if self.file is not None:
            with suppress(OSError):
                os.pwrite(self.file, f"{due:.6f}".ljust(64).encode(), 0)


async def _locked_within(file: int, seconds: float) -> bool:
    """Lock a file, waiting so long at most; return whether it is locked."""
    deadline = time.monotonic() + seconds
    while not _lock(file):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _delete_oldest(folder: int) -> None:
    """Delete answers beyond the limits, the oldest first."""
    with os.scandir(folder) as entries:
        found = [(one.stat(follow_symlinks=False), one.name) for one in entries]
    found.sort(key=lambda one: -one[0].st_mtime)
    total = 0
    for number, (status, name) in enumerate(found):
        total += status.st_size
        if number >= MOST_ANSWERS or total > MOST_BYTES:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
