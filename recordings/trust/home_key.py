"""The home's key: a secret of this installation, with which it proves what it made.

It never leaves the home: it is not packed, exported or pushed, and no sandbox may mount it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from recordings.errors import RecordingError
from recordings.storage.files import failure, sync_folder

KEY = "key"
"""Name of the file in the home."""
_BYTES = 32
_BLOCK = 64
"""Bytes of a block of SHA-256, to which HMAC fills up its key."""

Purpose = Literal["recording", "review", "grant", "batch", "name"]
"""What a proof is for: a proof of one kind is none of another."""


class HomeKeyUnusable(RecordingError):
    """The home's key cannot be used: not a regular file, not the user's, or open to others."""


class HomeKey:
    """Makes and checks the proofs of one home."""

    def __init__(self, secret: bytes) -> None:
        # HMAC by its two halves: `hmac` itself takes twice as long, and every line is proved.
        padded = secret.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def prove(self, purpose: Purpose, *parts: str | bytes) -> str:
        """Return the proof (64 hex digits, HMAC-SHA256) that this home says `parts`, in order."""
        *first, last = parts
        return self.prover(purpose, *first)(last)

    def prover(self, purpose: Purpose, *first: str | bytes) -> Callable[[str | bytes], str]:
        """Return what proves `first` and one more part: the quick way where that alone differs."""
        begun = self._inner.copy()
        for part in (purpose, *first):
            begun.update(_framed(part))

        def prove(last: str | bytes) -> str:
            inner, outer = begun.copy(), self._outer.copy()
            inner.update(_framed(last))
            outer.update(inner.digest())
            return outer.hexdigest()

        return prove

    @property
    def name(self) -> str:
        """What tells this key from others without giving it away: 16 hex digits."""
        return self.prove("name", "")[:16]

    def proves(self, proof: str, purpose: Purpose, *parts: str | bytes) -> bool:
        """Tell whether a proof is this home's word about `parts`."""
        return hmac.compare_digest(
            proof.encode("utf-8", "replace"), self.prove(purpose, *parts).encode()
        )


def _framed(part: str | bytes) -> bytes:
    """Return a part with its length before it, so that ("ab", "c") is not ("a", "bc")."""
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "big") + data


def find_key(home: Path) -> HomeKey | None:
    """Return the home's key; None when it has none yet. Writes nothing.

    Raises `HomeKeyUnusable`.
    """
    path = home / KEY
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HomeKeyUnusable(f"{path} cannot be read: {error.strerror}.") from error
    try:
        _check(path, os.fstat(fd))
        secret = os.read(fd, _BYTES + 1)
    finally:
        os.close(fd)
    if len(secret) != _BYTES:
        raise HomeKeyUnusable(
            f"{path} is no key of {_BYTES} bytes: put it back from a copy, or remove it, and "
            "what was made with it counts as somebody else's."
        )
    return HomeKey(secret)


def home_key(home: Path) -> HomeKey:
    """Return the home's key, made when there is none. Raises `HomeKeyUnusable`, `RecordingFailed`.

    Two programs that make it at the same moment get the same one.
    """
    found = find_key(home)
    if found is None:
        _make(home)
        found = find_key(home)
    if found is None:
        raise HomeKeyUnusable(f"{home / KEY} was removed while it was being made: try again.")
    return found


def _check(path: Path, status: os.stat_result) -> None:
    """Raise `HomeKeyUnusable` unless it is a file that only the user can read."""
    if not stat.S_ISREG(status.st_mode):
        raise HomeKeyUnusable(f"{path} is no regular file: remove it, and a key is made.")
    if status.st_uid != os.geteuid():
        raise HomeKeyUnusable(
            f"{path} belongs to another user: use a home of your own (set SII_HOME)."
        )
    if status.st_mode & 0o077:
        raise HomeKeyUnusable(f"Others can read {path}: say `chmod 600 {path}`.")


def _make(home: Path) -> None:
    """Write a key under a name of its own, then link it to its place, which happens whole."""
    path = home / KEY
    draft = home / f".{KEY}-{secrets.token_hex(8)}"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, secrets.token_bytes(_BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        with suppress(FileExistsError):  # another program was faster: its key counts
            os.link(draft, path, follow_symlinks=False)
        os.unlink(draft)
        sync_folder(home)
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise failure(path, error) from error
