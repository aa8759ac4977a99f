"""The recordings of a home and of its batches: one collection."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from pathlib import Path

from recordings.storage.opening import OpenFolder, UnexpectedFile, kind_of
from recordings.store.store import RecordingStore

RECORDINGS = "recordings"
BATCHES = "batches"


class Collection:
    """The recordings of one home: its own, and those of its batches."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.own = RecordingStore(home / RECORDINGS)
        self.refused: list[str] = []
        """Batches that cannot be read, a sentence for each; complete after `batches` was read."""

    @cached_property
    def batches(self) -> dict[str, RecordingStore]:
        """The stores of the home's batches, by the names of their folders.

        Nothing below the home is entered through a link.
        """
        found: dict[str, RecordingStore] = {}
        try:
            with OpenFolder(self.home, BATCHES) as folder:
                for name in sorted(folder.names()):
                    if not name.startswith(".") and self._is_batch(folder, name):
                        found[name] = RecordingStore(folder.path / name / RECORDINGS)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self._refuse(self.home / BATCHES, error)
        return found

    @property
    def stores(self) -> list[RecordingStore]:
        """The home's own store, then those of its batches."""
        return [self.own, *self.batches.values()]

    @property
    def exists(self) -> bool:
        """Whether there is a folder of recordings."""
        return self.own.root.exists() or bool(self.batches)

    def has_recordings(self) -> bool:
        """Return whether there is a recording."""
        return any(store.ids() for store in self.stores)

    def _is_batch(self, batches: OpenFolder, name: str) -> bool:
        """Return whether a folder has recordings; what cannot be read is refused."""
        path = batches.path / name
        try:
            status = batches.status(name)
            if status is None or stat.S_ISREG(status.st_mode):
                return False
            if not stat.S_ISDIR(status.st_mode):
                raise _unexpected(path, status)
            with batches.inner(name) as folder:
                inside = folder.status(RECORDINGS)
                if inside is None:
                    return False
                if not stat.S_ISDIR(inside.st_mode):
                    raise _unexpected(path / RECORDINGS, inside)
                folder.inner(RECORDINGS).close()
            if not name.isprintable():
                raise UnexpectedFile(path, "its name is not text: rename it")
        except FileNotFoundError:
            return False
        except OSError as error:
            self._refuse(path, error)
            return False
        return True

    def _refuse(self, path: Path, error: OSError) -> None:
        why = str(error) if isinstance(error, UnexpectedFile) else f"{path}: {error.strerror}"
        is_link = path.is_symlink() or (path / RECORDINGS).is_symlink()
        remedy = ": `--home` reads a folder elsewhere" if is_link else ""
        self.refused.append(f"Not read: {why}{remedy}.")


def home_of(folder: Path) -> Path:
    """Return the home, or the folder of the batch, in which a recording is."""
    return folder.parent.parent


def _unexpected(path: Path, status: os.stat_result) -> UnexpectedFile:
    return UnexpectedFile(path, f"it is {kind_of(status)}, where a directory should be")
