"""Errors of snapshots; every message is one sentence with the remedy."""

from __future__ import annotations

import errno
from pathlib import Path

from sandbox.protocol import SandboxError

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


class SnapshotError(SandboxError):
    """Raised when a snapshot cannot be taken or read; the base of this package's errors."""


class SnapshotNotFound(SnapshotError):
    """Raised when the store does not have a tree, or a tree does not have a path."""


class SnapshotDamaged(SnapshotError):
    """Raised when an object differs from what was stored, or is not a tree."""


class Stopped(Exception):
    """Raised to stop work that was cancelled; never leaves this package."""


def failure(what: str, path: Path | str, error: OSError) -> SnapshotError:
    """Say in a sentence why `what` failed at a path."""
    why = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return SnapshotError(f"{what} {path}: {why}.")
