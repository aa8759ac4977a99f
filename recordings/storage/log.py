"""The log: `events.jsonl`, append-only, one event a line; how lines are written and read.

`lines.py` has the form of a line, `recorder.py` decides which events are written.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from recordings.errors import (
    LineChanged,
    RecordingDamaged,
    RecordingError,
    RecordingFailed,
    RecordingFull,
    RecordingInUse,
    RecordingNotFound,
    RecordingTooNew,
)
from recordings.storage.files import failure, open_stored
from recordings.storage.lines import Head, check_line, decode_event, follows, parse_line, read_head
from recordings.storage.opening import OpenFolder, open_file

if TYPE_CHECKING:
    from recordings.events import Event

LOG = "events.jsonl"
_LOCK_PATIENCE = 0.5
"""Seconds to wait for the lock: a reader that tests it holds it for a moment."""
_CHUNK = 1 << 16
LONGEST_LINE = 32 << 20
"""Bytes of the longest line that is written or read; a longer one may have no end."""
LARGEST_LOG = 16 << 30
"""Bytes of the largest log that is written or read: a file with holes may claim any size."""
_BEGINNING = b'{"v":'
"""How every line begins."""


class Line(NamedTuple):
    """A whole line of a log, without its newline."""

    number: int
    """From 1."""
    offset: int
    """Of its first byte in the file."""
    text: bytes


class LogWriter:
    """Appends lines to a log, with a lock against other writers."""

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self._path = path
        self._fd = fd
        self._size = size
        self._failed: RecordingFailed | None = None

    @classmethod
    def create(cls, folder: Path, name: str = LOG) -> LogWriter:
        """Create the log of a folder that has none. Raises `RecordingFailed`."""
        path = folder / name
        try:
            with OpenFolder(folder.parent, folder.name) as opened:
                fd = opened.create(name, os.O_APPEND)
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                opened.sync()
        except OSError as error:
            raise failure(path, error) from error
        return cls(path, fd, 0)

    @classmethod
    def open(cls, folder: Path, name: str = LOG) -> tuple[LogWriter, Line | None]:
        """Open a log to append to, and cut off a torn last line; also return the last whole line.

        Raises `RecordingInUse`, `RecordingNotFound`, `RecordingDamaged`, `RecordingFailed`.
        """
        path = folder / name
        try:
            fd = _open_locked(folder, name)
        except FileNotFoundError:
            raise RecordingNotFound(f"There is no recording in {folder}.") from None
        except OSError as error:
            raise failure(path, error) from error
        try:
            last, size = _cut_torn_line(path, fd)
        except OSError as error:
            os.close(fd)
            raise failure(path, error) from error
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, size), last

    def append(self, line: bytes, *, durable: bool) -> None:
        """Append a line; a durable one is on the disk on return.

        Raises `RecordingFull` for a line or a log that is too large, and `RecordingFailed`.

        After a failed write the log is as it was, and the line may be appended again. After a
        failed sync it is unknown what is on the disk, so nothing more is written.
        """
        if self._failed is not None:
            raise self._failed
        data = line + b"\n"
        if len(data) > LONGEST_LINE:
            raise RecordingFull(
                f"An event of {len(data) >> 20} MiB is too long to be recorded: put such data "
                "into a file of the workspace."
            )
        if self._size + len(data) > LARGEST_LOG:
            raise RecordingFull(
                f"{self._path} has reached the {LARGEST_LOG >> 30} GiB that a recording may have: "
                "begin another session."
            )
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except BaseException as error:
            self._take_back()
            if isinstance(error, OSError):
                raise failure(self._path, error) from error
            raise
        try:
            if durable:
                os.fdatasync(self._fd)
        except OSError as error:
            self._failed = failure(self._path, error)
            self._take_back()
            raise self._failed from error
        self._size += len(data)

    def close(self) -> None:
        """Sync and close the log. May be called twice. Raises `RecordingFailed`."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            if self._failed is None:
                os.fdatasync(fd)
        except OSError as error:
            raise failure(self._path, error) from error
        finally:
            os.close(fd)

    def _take_back(self) -> None:
        """Cut off what was half-written; if that fails, it is cut off when the log is opened."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError as error:
            self._failed = self._failed or failure(self._path, error)


def open_log(folder: Path) -> BinaryIO:
    """Open a recording's log, packed or not, to read at any offset.

    Raises `RecordingNotFound`, `RecordingDamaged`.
    """
    try:
        file = open_stored(folder, LOG)
    except FileNotFoundError:
        raise RecordingNotFound(f"There is no recording in {folder}.") from None
    if file.seek(0, os.SEEK_END) > LARGEST_LOG:
        file.close()
        raise RecordingDamaged(
            f"{folder / LOG} is longer than the {LARGEST_LOG >> 30} GiB that are written and read."
        )
    file.seek(0)
    return file


def last_line(folder: Path) -> bytes | None:
    """Return the last whole line of a recording; its sha256 is the recording's hash.

    Raises `RecordingNotFound`, `RecordingDamaged`.
    """
    with open_log(folder) as file:
        size, length = file.seek(0, os.SEEK_END), _CHUNK
        while True:
            length = min(length, size, 2 * LONGEST_LINE)
            file.seek(size - length)
            data = file.read(length)
            end = data.rfind(b"\n")
            start = data.rfind(b"\n", 0, max(end, 0))
            if end >= 0 and (start >= 0 or length == size):
                return data[start + 1 : end]
            if length == size:
                return None
            if length > LONGEST_LINE:
                raise _too_long(folder / LOG)
            length *= 8


def recording_hash(folder: Path) -> str:
    """Return the sha256 of the last whole line, which pins all lines before; empty without a line.

    Raises `RecordingNotFound`, `RecordingDamaged`.
    """
    line = last_line(folder)
    return "" if line is None else hashlib.sha256(line).hexdigest()


def read_lines(folder: Path, *, offset: int = 0, number: int = 1) -> Iterator[Line]:
    """Yield the whole lines of a recording in order; a torn last line is skipped.

    Begins at `offset`, where line `number` begins. Reads one line at a time.
    Raises `RecordingNotFound`, and `RecordingDamaged` for a line without an end.
    """
    with open_log(folder) as file:
        file.seek(offset)
        for count, text in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), number):
            if text.endswith(b"\n"):
                yield Line(count, offset, text[:-1])
            elif len(text) == LONGEST_LINE:
                raise _too_long(folder / LOG)
            offset += len(text)


def read_checked_lines(
    folder: Path, *, offset: int = 0, number: int = 1, head: str = ""
) -> Iterator[tuple[Line, str]]:
    """Yield the whole lines of a recording, each checked, with its sha256.

    Begins at `offset`, where line `number` begins, after a line with the sha256 `head`.
    Raises `LineChanged` for a line whose checksum or chain is wrong, `RecordingTooNew`, and what
    `read_lines` raises.
    """
    for line in read_lines(folder, offset=offset, number=number):
        sha256 = check_line(line.text)
        if sha256 is None or not follows(line.text, head):
            with suppress(RecordingDamaged):
                head_of(folder, line)  # a newer format is reported as such
            raise LineChanged(folder.name, line.number)
        yield line, sha256
        head = sha256


def checked_hash(folder: Path) -> str:
    """Check every line; return the recording's hash, empty without a line.

    Raises what `read_checked_lines` raises.
    """
    head = ""
    for _, sha256 in read_checked_lines(folder):
        head = sha256
    return head


def read_events(folder: Path) -> Iterator[Event]:
    """Yield the events of a recording in order; a torn last line is skipped.

    Checks that every line is an event, but not the chain (`read_checked_lines` does).
    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    return (event_of(folder, line) for line in read_lines(folder))


def event_of(folder: Path, line: Line) -> Event:
    """Return the event of a line. Raises `RecordingDamaged`, `RecordingTooNew`."""
    try:
        return decode_event(parse_line(line.text))
    except (RecordingDamaged, RecordingTooNew) as error:
        raise _named(folder, line, error) from None


def head_of(folder: Path, line: Line) -> Head:
    """Return the head of a line. Raises `RecordingDamaged`, `RecordingTooNew`."""
    try:
        return read_head(line.text)
    except (RecordingDamaged, RecordingTooNew) as error:
        raise _named(folder, line, error) from None


def is_locked(folder: Path) -> bool:
    """Return whether a process is writing to a recording now."""
    try:
        fd = open_file(folder.parent, folder.name, LOG)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: no process can write to it either
        return False
    finally:
        os.close(fd)
    return False


def _named(folder: Path, line: Line, error: RecordingError) -> RecordingError:
    """Return an error of a line with the name of its recording."""
    if isinstance(error, RecordingTooNew):
        return RecordingTooNew(f"{folder}: {error}")
    return RecordingDamaged(f"Line {line.number} of {folder / LOG} is damaged: {error}.")


def _too_long(path: Path) -> RecordingDamaged:
    return RecordingDamaged(
        f"A line of {path} is longer than the {LONGEST_LINE >> 20} MiB that are written and read."
    )


def _open_locked(folder: Path, name: str) -> int:
    """Open a log and lock it, with a short wait."""
    patience = time.monotonic() + _LOCK_PATIENCE
    while True:
        fd = open_file(folder.parent, folder.name, name, flags=os.O_RDWR | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return fd
        except BlockingIOError:
            pass
        except OSError:
            os.close(fd)
            raise
        # Locked by another process, or replaced by it (packed, redacted) in the meantime.
        os.close(fd)
        if time.monotonic() > patience:
            raise RecordingInUse(
                f"The recording {folder.name} is being written by another process: "
                "end that session first, or fork it."
            )
        time.sleep(0.02)


def _cut_torn_line(path: Path, fd: int) -> tuple[Line | None, int]:
    """Cut off what follows the last newline; return the last line and the size of the log.

    A file that is not a log is not changed. Raises `RecordingDamaged`, `OSError`.
    """
    size = os.fstat(fd).st_size
    end = _find_newline(path, fd, size) + 1
    line = None
    if end:
        start = _find_newline(path, fd, end - 1) + 1
        line = Line(0, start, os.pread(fd, end - 1 - start, start))
        if check_line(line.text) is None:
            raise RecordingDamaged(
                f"The last line of {path} was changed after it was written, so nothing is "
                "appended to it: `sii verify` says more."
            )
    elif not _may_be_torn_line(os.pread(fd, _CHUNK, 0)):
        raise RecordingDamaged(
            f"{path} has content that sii did not write, so nothing is appended: move it away."
        )
    if end < size:
        os.ftruncate(fd, end)
        os.fdatasync(fd)
    return line, end


def _may_be_torn_line(data: bytes) -> bool:
    """Return whether a log without a newline may be the beginning of a line, or zeros, as after a
    power failure.
    """
    return data[: len(_BEGINNING)] == _BEGINNING[: len(data)] or not data.strip(b"\0")


def _find_newline(path: Path, fd: int, before: int) -> int:
    """Return the offset of the last newline before an offset, or -1.

    Raises `RecordingDamaged` when the line before it is too long.
    """
    end = before
    while before > 0:
        if end - before > LONGEST_LINE:
            raise _too_long(path)
        start = max(0, before - _CHUNK)
        found = os.pread(fd, before - start, start).rfind(b"\n")
        if found >= 0:
            return start + found
        before = start
    return -1
