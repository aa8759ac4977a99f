"""People: reviewers on other machines and their public keys, in `people.toml` of the home.

The user writes the file. A line is `NAME = "ed25519:…"`, or a list for a person with several keys.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from recordings.errors import UNPARSABLE, RecordingError, why_unparsable
from recordings.storage.files import failure
from recordings.storage.opening import UnexpectedFile, read_named
from recordings.trust.person_key import is_public_key, need_keys

PEOPLE = "people.toml"
_LARGEST = 1 << 20
"""Most bytes of the file."""

People = Mapping[str, tuple[str, ...]]
"""The public keys of each pseudonym."""


class PeopleUnusable(RecordingError):
    """Raised when the file is not a list of people and keys."""


def find_people(home: Path) -> People:
    """Return the people and their keys; empty without the file.

    Raises `PeopleUnusable`, `KeysMissing`.
    """
    path = home / PEOPLE
    content = _read(path)
    if not content:
        return {}
    import tomllib  # slow, and most homes have no such file

    try:
        people = {name: _keys_of(name, said) for name, said in tomllib.loads(content).items()}
    except UNPARSABLE as error:
        raise PeopleUnusable(
            f"{path} cannot be read ({why_unparsable(error)}): correct it."
        ) from None
    keys = [key for those in people.values() for key in those]
    if len(keys) != len(set(keys)):
        raise PeopleUnusable(f"{path} has a key twice: a key belongs to one person.")
    if people:
        need_keys(path)
    return people


def add_person(home: Path, name: str, key: str) -> None:
    """Append a person with a public key to the file.

    Raises `PeopleUnusable`, `KeysMissing`, `RecordingFailed`.
    """
    path = home / PEOPLE
    need_keys(path)
    people = find_people(home)
    if not name.strip() or not name.isprintable():
        raise PeopleUnusable(f"{name!r} is not a name of a person: use printable characters.")
    if not is_public_key(key):
        raise PeopleUnusable(f"{key!r} is not a public key: `sii people key` prints one.")
    if name in people:
        raise PeopleUnusable(f"{name} has a key in {path}: change it there, or make it a list.")
    if any(key in keys for keys in people.values()):
        raise PeopleUnusable(f"{path} has this key for someone else: a key belongs to one person.")
    kept = _read(path)
    apart = "\n" if kept and not kept.endswith("\n") else ""
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "ab") as file:
            file.write(f"{apart}{line_of(name, key)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise failure(path, error) from error


def line_of(name: str, key: str) -> str:
    """Return the line of the file that gives a person a key."""
    return f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(key)}"


def _read(path: Path) -> str:
    try:
        return read_named(path, _LARGEST).decode()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnexpectedFile as error:
        raise PeopleUnusable(f"{error}.") from None
    except OSError as error:
        raise PeopleUnusable(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise PeopleUnusable(f"{path} is not text in UTF-8: correct it.") from None


def _keys_of(name: str, said: object) -> tuple[str, ...]:
    keys = tuple(said) if isinstance(said, list) else (said,)
    found = tuple(key for key in keys if isinstance(key, str) and is_public_key(key))
    if len(found) != len(keys) or not keys:
        raise ValueError(f"{name!r} has no public key: `sii people key` prints one")
    return found
