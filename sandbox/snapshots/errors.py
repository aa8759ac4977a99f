"""What can go wrong with snapshots; every message is one sentence with the remedy."""

from __future__ import annotations

import errno
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "your disk quota is used up: free some space",
    errno.EROFS: "the disk is read-only: make it writable or choose another place",
    errno.EACCES: "it may not be written: correct its rights",
    errno.EPERM: "it may not be written: correct its rights",
    errno.ENOLCK: "its file system gives no locks: put it on a local disk, or mount it with locks "
    "(NFS: `local_lock=flock`)",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
}


class SnapshotError(Exception):
    """Base of what snapshots raise."""


class SnapshotNotFound(SnapshotError):
    """The store has no such tree, or the tree no such path."""


class SnapshotDamaged(SnapshotError):
    """An object is not what was stored, or no tree at all."""


class Stopped(Exception):
    """The work was cancelled; never leaves this package."""


def failure(what: str, path: Path | str, error: OSError) -> SnapshotError:
    """Say in a sentence why `what` failed at a path."""
    why = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return SnapshotError(f"{what} {path}: {why}.")
