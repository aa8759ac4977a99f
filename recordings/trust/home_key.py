"""The home key: the secret of a home, with which it proves what it wrote.

It never leaves the home: it is not packed or exported, and no sandbox may mount it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from recordings.trust.key_files import find_secret, make_secret

KEY = "key"
"""Name of the file in the home."""
_BLOCK = 64
"""Bytes of a block of SHA-256, to which HMAC pads its key."""

Purpose = Literal["recording", "review", "grant", "batch", "index", "name"]
"""What a proof is for; a proof of one kind is not valid as another."""


class HomeKey:
    """Makes and checks the proofs of one home."""

    def __init__(self, secret: bytes) -> None:
        # HMAC from its two hashes: `hmac` takes twice as long, and every line is proved.
        padded = secret.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def prove(self, purpose: Purpose, *parts: str | bytes) -> str:
        """Return the proof (64 hex digits, HMAC-SHA256) that this home wrote `parts`, in order."""
        *first, last = parts
        return self.prover(purpose, *first)(last)

    def prover(self, purpose: Purpose, *first: str | bytes) -> Callable[[str | bytes], str]:
        """Return a function that proves `first` and one more part, faster than `prove`."""
        begun = self._inner.copy()
        for part in (purpose, *first):
            begun.update(framed(part))

        def prove(last: str | bytes) -> str:
            inner, outer = begun.copy(), self._outer.copy()
            inner.update(framed(last))
            outer.update(inner.digest())
            return outer.hexdigest()

        return prove

    @property
    def name(self) -> str:
        """16 hex digits that identify this key without revealing it."""
        return self.prove("name", "")[:16]

    def proves(self, proof: str, purpose: Purpose, *parts: str | bytes) -> bool:
        """Return whether a proof of `parts` is this home's."""
        return hmac.compare_digest(
            proof.encode("utf-8", "replace"), self.prove(purpose, *parts).encode()
        )


def framed(part: str | bytes) -> bytes:
    """Return a part with its length before it, so that ("ab", "c") differs from ("a", "bc")."""
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "big") + data


def find_key(home: Path) -> HomeKey | None:
    """Return the home key, or `None` when there is none yet. Writes nothing.

    Raises `HomeKeyUnusable`.
    """
    secret = find_secret(home / KEY)
    return None if secret is None else HomeKey(secret)


def home_key(home: Path) -> HomeKey:
    """Return the home key; create it if there is none. Raises `HomeKeyUnusable`, `RecordingFailed`.

    Two programs that create it at the same time get the same key.
    """
    return HomeKey(make_secret(home / KEY))
