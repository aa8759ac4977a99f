"""Drafts: what a person has said of an item and not sent yet, in a file of its own."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from recordings.errors import UNPARSABLE, RecordingDamaged
from recordings.storage.files import failure
from recordings.storage.opening import OpenFolder, UnexpectedFile, read_file
from sii_cli.queue.leases import Item

DRAFTS = "drafts"
_LARGEST = 4 << 20
"""Bytes: more than the line of a review may have."""


class Drafts:
    """The drafts of a person in a home."""

    def __init__(self, home: Path, person: str) -> None:
        self._home = home
        self._person = person

    def save(self, item: Item, sha256: str, said: dict[str, Any]) -> None:
        """Keep what was said of an item whose content has this hash, instead of what was before.

        Quick enough for every key: a killed process loses nothing, but a power failure may lose
        the last seconds. Raises `RecordingFailed`.
        """
        about = {"person": self._person, **item._asdict(), "sha256": sha256, "said": said}
        name = self._name(item)
        new = f".{name}.{os.getpid()}"
        try:
            with OpenFolder(self._home) as home, home.inner(DRAFTS, make=True) as folder:
                folder.remove(new)  # left by a killed process of the same number
                with open(folder.create(new), "wb") as file:
                    file.write(json.dumps(about).encode())
                folder.rename(new, name)
        except OSError as error:
            raise failure(self._home / DRAFTS / name, error) from error

    def load(self, item: Item, sha256: str) -> dict[str, Any] | None:
        """Return the draft of an item, or `None` where there is none for this content.

        Raises `RecordingDamaged`.
        """
        path = self._home / DRAFTS / self._name(item)
        try:
            found = json.loads(read_file(self._home, DRAFTS, path.name, most=_LARGEST))
            said: dict[str, Any] = dict(found["said"])
            return said if found["sha256"] == sha256 else None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnexpectedFile as error:
            raise RecordingDamaged(f"{error}.") from None
        except (*UNPARSABLE, KeyError, TypeError):
            raise self.damaged(item) from None

    def damaged(self, item: Item) -> RecordingDamaged:
        """Return what is raised of a draft that cannot be read."""
        path = self._home / DRAFTS / self._name(item)
        return RecordingDamaged(f"The draft {path} is damaged: remove it.")

    def remove(self, item: Item) -> None:
        """Delete the draft of an item, if there is one. Raises `RecordingFailed`."""
        name = self._name(item)
        try:
            with (
                suppress(FileNotFoundError, NotADirectoryError),
                OpenFolder(self._home, DRAFTS) as folder,
            ):
                folder.remove(name)
        except OSError as error:
            raise failure(self._home / DRAFTS / name, error) from error

    def _name(self, item: Item) -> str:
        """Return the name of a draft's file; pseudonyms and ids may hold any character."""
        whose = "\0".join((self._person, *item))
        return hashlib.sha256(whose.encode("utf-8", "replace")).hexdigest()[:32] + ".json"
