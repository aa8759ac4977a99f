"""Seals of recordings: the file `seal` beside the log proves that this home wrote it.

It has two proofs: of the hash of the last line, and of the line that is about to be appended. So
whenever the writer is killed, one of them fits the last whole line. That hash pins all lines before
it by the chain.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from recordings.storage.files import failure
from recordings.storage.opening import OpenFolder
from recordings.trust.home_key import HomeKey

SEAL = "seal"
_FORM = re.compile(rb"sii-seal-1 ([0-9a-f]{64}) ([0-9a-f]{64})\n")
_SIZE = 141


class SealWriter:
    """Writes the seal of a recording while this home writes the recording."""

    def __init__(self, folder: Path, fd: int, key: HomeKey, head: str) -> None:
        self._path = folder / SEAL
        self._fd = fd
        self._prove = key.prover("recording", folder.name)
        self._proofs = {head: self._prove(head)}
        self._write(head, head)

    @classmethod
    def begin(cls, folder: Path, key: HomeKey, head: str = "") -> SealWriter:
        """Seal a recording that is known to be this home's, with its hash; empty without a line.

        An existing seal is replaced atomically. Raises `RecordingFailed`.
        """
        draft = f".{SEAL}.{os.getpid()}"
        try:
            with OpenFolder(folder.parent, folder.name) as opened:
                opened.remove(draft)  # left by a killed process with the same id
                fd = opened.create(draft)
                try:
                    writer = cls(folder, fd, key, head)
                    os.rename(draft, SEAL, src_dir_fd=opened.fd, dst_dir_fd=opened.fd)
                except BaseException:
                    os.close(fd)
                    opened.remove(draft)
                    raise
        except OSError as error:
            raise failure(folder / SEAL, error) from error
        return writer

    def advance(self, before: str, after: str) -> None:
        """Seal also the hash after the next line. Raises `RecordingFailed`."""
        proof = self._proofs.get(before) or self._prove(before)
        self._proofs = {before: proof, after: self._prove(after)}
        self._write(before, after)

    def close(self, head: str) -> None:
        """Seal only this hash, sync and close. May be called twice.

        Raises `RecordingFailed`.
        """
        if self._fd < 0:
            return
        try:
            self.advance(head, head)
            os.fdatasync(self._fd)
        except OSError as error:
            raise failure(self._path, error) from error
        finally:
            os.close(self._fd)
            self._fd = -1

    def _write(self, before: str, after: str) -> None:
        text = f"sii-seal-1 {self._proofs[before]} {self._proofs[after]}\n"
        try:
            os.pwrite(self._fd, text.encode(), 0)
        except OSError as error:
            raise failure(self._path, error) from error


def put_seal(folder: Path, key: HomeKey, head: str) -> None:
    """Seal a recording that no process writes to. Raises `RecordingFailed`."""
    SealWriter.begin(folder, key, head).close(head)


def is_sealed(folder: Path, key: HomeKey | None, head: str) -> bool:
    """Return whether this home sealed a recording with that hash. Reads only the seal."""
    if key is None or not head:
        return False
    return any(key.proves(proof, "recording", folder.name, head) for proof in _proofs(folder))


def _proofs(folder: Path) -> tuple[str, ...]:
    """Return the proofs of a seal; empty for a file that is not a seal."""
    try:
        with OpenFolder(folder.parent, folder.name) as opened, opened.reader(SEAL) as file:
            text = file.read(_SIZE + 1)
    except OSError:
        return ()
    found = _FORM.fullmatch(text)
    return tuple(proof.decode() for proof in found.groups()) if found else ()
