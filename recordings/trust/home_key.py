"""The home's key: a secret of this installation, with which it proves what it made.

It never leaves the home: it is not packed, exported or pushed, and no sandbox may mount it.
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
"""Bytes of a block of SHA-256, to which HMAC fills up its key."""

Purpose = Literal["recording", "review", "grant", "batch", "index", "name"]
"""What a proof is for: a proof of one kind is none of another."""


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
            begun.update(framed(part))

        def prove(last: str | bytes) -> str:
            inner, outer = begun.copy(), self._outer.copy()
            inner.update(framed(last))
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


def framed(part: str | bytes) -> bytes:
    """Return a part with its length before it, so that ("ab", "c") is not ("a", "bc")."""
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "big") + data


def find_key(home: Path) -> HomeKey | None:
    """Return the home's key; None when it has none yet. Writes nothing.

    Raises `HomeKeyUnusable`.
    """
    secret = find_secret(home / KEY)
    return None if secret is None else HomeKey(secret)


def home_key(home: Path) -> HomeKey:
    """Return the home's key, made when there is none. Raises `HomeKeyUnusable`, `RecordingFailed`.

    Two programs that make it at the same moment get the same one.
    """
    return HomeKey(make_secret(home / KEY))
