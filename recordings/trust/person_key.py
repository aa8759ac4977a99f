"""The key of the person who reviews in a home (Ed25519): other homes can check its signatures.

The private key never leaves the home. `sii-cli[keys]` installs what computes signatures.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from recordings.errors import RecordingError
from recordings.trust.home_key import framed
from recordings.trust.key_files import find_secret, make_secret

PERSON_KEY = "person_key"
"""Name of the file in the home."""
_PUBLIC = re.compile(r"ed25519:[0-9a-f]{64}")


class KeysMissing(RecordingError):
    """Raised when the library that computes signatures is not installed."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} needs cryptography: install it with `pip install 'sii-cli[keys]'`."
        )


class PersonKey:
    """The private key of a person."""

    def __init__(self, secret: bytes) -> None:
        self._private = _ed25519().Ed25519PrivateKey.from_private_bytes(secret)

    @property
    def public(self) -> str:
        """The public key: `ed25519:` and 64 hex digits."""
        return f"ed25519:{self._private.public_key().public_bytes_raw().hex()}"

    def sign(self, session: str, said: bytes) -> str:
        """Return the signature (128 hex digits) of what the person says about a session."""
        signature: bytes = self._private.sign(_message(session, said))
        return signature.hex()


def is_public_key(text: str) -> bool:
    """Return whether a text has the form of a public key."""
    return _PUBLIC.fullmatch(text) is not None


def is_signed_by(public: str, signature: str, session: str, said: bytes) -> bool:
    """Return whether a signature of a text about a session fits a public key."""
    from cryptography.exceptions import InvalidSignature

    key = _ed25519().Ed25519PublicKey.from_public_bytes(bytes.fromhex(public.partition(":")[2]))
    try:
        key.verify(bytes.fromhex(signature), _message(session, said))
    except InvalidSignature:
        return False
    return True


def find_person_key(home: Path) -> PersonKey | None:
    """Return the person key of a home, or `None` when there is none.

    Raises `HomeKeyUnusable`, `KeysMissing`.
    """
    path = home / PERSON_KEY
    secret = find_secret(path)
    if secret is None:
        return None
    need_keys(path)
    return PersonKey(secret)


def person_key(home: Path) -> PersonKey:
    """Return the person key of a home; create it if there is none.

    Raises `HomeKeyUnusable`, `KeysMissing`, `RecordingFailed`.
    """
    path = home / PERSON_KEY
    need_keys(path)
    return PersonKey(make_secret(path))


def need_keys(path: Path) -> None:
    """Raise `KeysMissing`, naming the file, if the library is not installed."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise KeysMissing(path)


def _message(session: str, said: bytes) -> bytes:
    return b"".join(framed(part) for part in ("review", session, said))


def _ed25519() -> ModuleType:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # slow, and seldom needed

    return ed25519
