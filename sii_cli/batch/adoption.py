"""Moves a batch from elsewhere into a home, whole or not at all, whenever the program is killed."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from recordings.storage.files import failure, replace_file
from recordings.storage.opening import OpenFolder, read_file
from recordings.store.collection import BATCHES
from sandbox.snapshots import remove_folder
from sii_cli.errors import SiiError
from sii_cli.workspace.folder_copy import copy_folder

_LONGEST_PATH = 1 << 16
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def move_to_home(folder: Path, home: Path) -> Path:
    """Move a batch's folder to `batches/NAME` of a home; return where it is.

    On one file system that is one renaming. Else a copy is made beside the target and synced, the
    folder gets another name, under which nobody continues the batch, the copy is renamed, and the
    folder is removed last: started again after a kill, the rest is done.
    Raises `SiiError` where something has that name, `RecordingFailed`.
    """
    target = home / BATCHES / folder.name
    try:
        with OpenFolder(home, BATCHES, make=True) as batches, OpenFolder(folder.parent) as parent:
            if was_copied(folder, home):
                _finish_copy(folder, parent, batches)
                return target
            if batches.status(folder.name) is not None:
                raise SiiError(f"{target} is there already: rename {folder}, and adopt it then.")
            try:
                os.rename(folder.name, folder.name, src_dir_fd=parent.fd, dst_dir_fd=batches.fd)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy(folder, batches)
                os.rename(
                    folder.name, _set_aside(folder), src_dir_fd=parent.fd, dst_dir_fd=parent.fd
                )
                parent.sync()
                _finish_copy(folder, parent, batches)
            batches.sync()
            parent.sync()
    except OSError as error:
        raise failure(target, error) from error
    return target


def was_copied(folder: Path, home: Path) -> bool:
    """Return whether an adoption of this folder was killed after it took the copy for the batch.

    A folder that has its name still may have changed since it was copied.
    """
    try:
        kept = read_file(home, BATCHES, _copied(folder), most=_LONGEST_PATH)
    except OSError:
        return False
    was_renamed = os.path.lexists(folder.with_name(_set_aside(folder)))
    return kept == os.fsencode(folder) and (was_renamed or not os.path.lexists(folder))


def _copy(folder: Path, batches: OpenFolder) -> None:
    """Copy the folder beside its target, and note that the copy is whole."""
    draft = batches.path / f".adopting-{folder.name}"
    with suppress(FileNotFoundError):
        remove_folder(draft)
    os.mkdir(draft.name, 0o700, dir_fd=batches.fd)
    copy_folder(folder, draft)
    _sync(draft.name, batches.fd)
    replace_file(batches.path, _copied(folder), os.fsencode(folder))


def _finish_copy(folder: Path, parent: OpenFolder, batches: OpenFolder) -> None:
    """Rename the copy, and remove what was copied."""
    draft, rest = f".adopting-{folder.name}", parent.path / _set_aside(folder)
    if batches.status(draft) is not None:
        os.rename(draft, folder.name, src_dir_fd=batches.fd, dst_dir_fd=batches.fd)
        batches.sync()
    if os.path.lexists(rest) and not remove_folder(rest):
        raise SiiError(f"It is adopted, but not all of {rest} could be removed: remove the rest.")
    batches.remove(_copied(folder))


def _set_aside(folder: Path) -> str:
    """Return the folder's name from when its copy is whole until it is removed."""
    return f".adopted-{folder.name}"


def _copied(folder: Path) -> str:
    """Return the name of the file that says that a copy is whole, in `batches`."""
    return f".copied-{folder.name}"


def _sync(name: str, parent: int) -> None:
    """Sync a folder with all that is in it; links are not followed."""
    folder = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        for inside in os.listdir(folder):
            mode = os.stat(inside, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                _sync(inside, folder)
            elif stat.S_ISREG(mode):
                file = os.open(inside, _FILE, dir_fd=folder)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
        os.fsync(folder)
    finally:
        os.close(folder)
