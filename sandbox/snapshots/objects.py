"""Objects of a store: bytes under their sha256, compressed, written once and checked when read.

Small ones share packs, large ones are files of their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox.snapshots.errors import SnapshotDamaged, SnapshotError, SnapshotNotFound, failure
from sandbox.snapshots.opening import make_folder, open_kept
from sandbox.snapshots.pack import LEVEL
from sandbox.snapshots.packs import Packs
from sandbox.snapshots.usage import at_work

_CHUNK = 1 << 20
_TEMPORARY = ".tmp-"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STALE = 3600.0
"""Seconds after which a temporary file is one that a killed process left."""


class StoreFull(Exception):
    """The store has taken all the bytes it may; never leaves this package."""


class _Threads(threading.local):
    """One compressor a thread: making one costs more than compressing a small file."""

    def __init__(self) -> None:
        from zstandard import ZstdCompressor  # slow to import

        self.compressor = ZstdCompressor(level=LEVEL)


class Objects:
    """The objects in a folder (see `prepare`). Safe for many threads and processes.

    What is put is there for this process at once, for others from the next `commit` on.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._root = os.fspath(folder)
        self._max_bytes = max_bytes
        self._written = 0
        self._threads: _Threads | None = None
        self._packs = Packs(self._root)

    def has(self, sha256: str) -> bool:
        """Whether an object is there. Raises `SnapshotError`."""
        if not is_sha256(sha256):
            return False
        return self._packs.has(bytes.fromhex(sha256)) or self._has_file(sha256)

    def put(self, data: bytes, *, always: bool = False) -> str:
        """Keep bytes; return their sha256. Raises `SnapshotError`, `StoreFull`.

        What is kept `always` may take as much room again, then it is a `SnapshotError`.
        """
        digest = hashlib.sha256(data)
        if self._written + self._packs.written >= self._max_bytes * (1 + always):
            if self.has(digest.hexdigest()):
                return digest.hexdigest()
            if not always:
                raise StoreFull
            raise SnapshotError(
                f"No more snapshots are kept: those of this session have taken all of the "
                f"{2 * self._max_bytes >> 20:,} MiB that one may take."
            )
        try:
            self._packs.put(digest.digest(), data, self.compressor())
        except OSError as error:
            raise self.failure(error) from error
        return digest.hexdigest()

    def commit(self) -> None:
        """Write everything added so far to the disk, so that a power cut loses none of it.

        Raises `SnapshotError`.
        """
        try:
            self._packs.commit(self.compressor())
        except OSError as error:
            raise self.failure(error) from error

    def close(self) -> None:
        """Close all files; what was not committed is lost. The store can be used again."""
        self._packs.close()

    def writer(self) -> ObjectWriter:
        """Keep what is written piece by piece. Raises `SnapshotError`, `StoreFull`."""
        self.check_room()
        return ObjectWriter(self)

    def get(self, sha256: str, limit: int) -> bytes:
        """Return an object. Raises `SnapshotNotFound`, `SnapshotDamaged` (also beyond `limit`)."""
        return b"".join(self.stream(sha256, limit))

    def stream(self, sha256: str, limit: int) -> Iterator[bytes]:
        """Yield an object in pieces; that it is whole is known only at the end.

        Raises `SnapshotNotFound`, `SnapshotDamaged` (also when it is longer than `limit`).
        """
        digest = hashlib.sha256()
        size = 0
        for data in self._pieces(sha256):
            size += len(data)
            if size > limit:
                raise SnapshotDamaged(f"The object {sha256} is longer than it should be.")
            digest.update(data)
            yield data
        if digest.hexdigest() != sha256:
            raise SnapshotDamaged(f"The object {sha256} is not what was stored.")

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        from zstandard import ZstdDecompressor, ZstdError

        path = self._path(sha256)
        packed = self._packs.get(bytes.fromhex(sha256))
        if packed is not None:
            yield packed
            return
        try:
            with open(open_kept(path), "rb") as file:
                reader = ZstdDecompressor().stream_reader(file)
                while data := reader.read(_CHUNK):
                    yield data
        except FileNotFoundError:
            raise SnapshotNotFound(f"The store {self._root} has no object {sha256}.") from None
        except (ZstdError, OSError) as error:
            raise SnapshotDamaged(f"The object {sha256} cannot be read: {error}.") from None

    def _has_file(self, sha256: str) -> bool:
        """Whether an object is a file of its own; an empty one is what a power cut left."""
        try:
            return os.stat(self._path(sha256)).st_size > 0
        except FileNotFoundError:
            return False

    def check_room(self) -> None:
        """Raise `StoreFull` when the session has written all the bytes it may."""
        if self._written + self._packs.written >= self._max_bytes:
            raise StoreFull

    def compressor(self) -> Any:
        """Return this thread's compressor."""
        if self._threads is None:
            self._threads = _Threads()
        return self._threads.compressor

    def temporary(self) -> tuple[str, int]:
        """Make a new file; return its path and descriptor. Raises `SnapshotError`."""
        path = f"{self._root}/{_TEMPORARY}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return path, os.open(path, flags, 0o600)
        except OSError as error:
            raise self.failure(error) from error

    def move(self, temporary: str, sha256: str, size: int) -> None:
        """Make a temporary file of `size` bytes the object."""
        path = self._path(sha256)
        make_folder(f"{self._root}/objects")
        make_folder(os.path.dirname(path))
        os.rename(temporary, path)
        self._written += size

    def prepare(self) -> tuple[int, int]:
        """Make the folder, and delete what killed processes left half written.

        Return its device and inode. Raises `SnapshotError`.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._packs.prepare()
            status = self.folder.stat()
            with os.scandir(self._root) as found:
                stale = [item.path for item in found if _is_stale(item)]
        except OSError as error:
            raise self.failure(error) from error
        for path in stale:
            _discard(path)
        return status.st_dev, status.st_ino

    def temporaries(self) -> list[Path]:
        """Return the files being written; alone in the store: those that killed processes left."""
        return sorted(self.folder.glob(f"{_TEMPORARY}*"))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield the sha256 and the file of every object that is a file of its own."""
        for path in (self.folder / "objects").glob("??/*"):
            sha256 = path.parent.name + path.name
            if is_sha256(sha256):
                yield sha256, path

    @contextmanager
    def at_work(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Work in the store: nothing is deleted from it meanwhile.

        Raises `SnapshotError`; `Stopped` once `stop` is set.
        """
        self.prepare()
        with at_work(self.folder, stop):
            yield

    def failure(self, error: OSError) -> Exception:
        """Say why the store cannot be written."""
        return failure("The snapshot cannot be written to", self._root, error)

    def _path(self, sha256: str) -> str:
        if not is_sha256(sha256):  # a recording named it: it may be anything
            raise SnapshotNotFound(f"{sha256[:80]!r} is not the sha256 of an object.")
        return f"{self._root}/objects/{sha256[:2]}/{sha256[2:]}"


class ObjectWriter:
    """An object being written; use as a context, then `commit`. Left without, it is discarded."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._digest = hashlib.sha256()
        self._compressor = objects.compressor().compressobj()
        self._temporary, self._fd = objects.temporary()
        self._size = 0

    def __enter__(self) -> ObjectWriter:
        return self

    def write(self, data: bytes) -> None:
        """Add bytes. Raises `SnapshotError`."""
        self._digest.update(data)
        self._put(self._compressor.compress(data))

    def commit(self) -> str:
        """Keep what was written; return its sha256. Raises `SnapshotError`."""
        self._put(self._compressor.flush())
        sha256 = self._digest.hexdigest()
        if not self._objects.has(sha256):
            try:
                os.fdatasync(self._fd)
                self._objects.move(self._temporary, sha256, self._size)
            except OSError as error:
                raise self._objects.failure(error) from error
        return sha256

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
        _discard(self._temporary)

    def _put(self, data: bytes) -> None:
        try:
            write_all(self._fd, data)
        except OSError as error:
            raise self._objects.failure(error) from error
        self._size += len(data)


def is_sha256(text: str) -> bool:
    """Whether a text can be the name of an object."""
    return _SHA256.fullmatch(text) is not None


def write_all(fd: int, data: bytes) -> None:
    """Write all of the bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _discard(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _is_stale(item: os.DirEntry[str]) -> bool:
    if not item.name.startswith(_TEMPORARY):
        return False
    with suppress(OSError):
        return item.stat(follow_symlinks=False).st_mtime < time.time() - _STALE
    return False
