"""Snapshots of a workspace: its tree kept content-addressed, compared, and restored.

Everything happens on the host and in threads. What runs in the sandbox may be hostile and may
change the workspace meanwhile: every path is opened relative to its directory's descriptor, no
symlink is followed, only regular files are opened, and never so that opening can block.

On disk
    A store is a folder of objects, each named by the sha256 of what it holds: a file's content or
    a directory's tree. Those up to a megabyte are in packs (`packs/…`, see `pack.py`), one a
    process, a few hundred kilobytes to a zstd frame; larger ones are files of one frame each,
    `objects/ab/cdef…`. `index.sqlite` says where in the packs they stand, and is derived. `lock`,
    `cleaning` and `held/` say who uses the store (see `usage.py`).

Trees
    A tree is lines of JSON in ASCII, each ended by a newline, one an entry, in the order of the
    names' raw bytes; its sha256 is over exactly these bytes. An entry has the fields of
    `TreeEntry` in their order, without those that have their default value:

    - `name`: undecodable bytes as lone surrogates (`"\\udcff"`, Python's surrogateescape);
    - `type`: `file`, `directory`, `symlink` or `special` (a FIFO, a socket, a device);
    - `mode`: permission bits (in decimal), with sticky, and setgid for directories; a file's setuid
      and setgid are never kept: they do nothing in a sandbox and could do harm on the host;
    - `size` (bytes, of files) and `sha256` (of a file's content, of a directory's tree);
    - `binary`: a NUL is in the first 8,000 bytes of the file;
    - `target`: where a symlink points, or what a special file is;
    - `not_kept`: why the content is not in the store, then without a `sha256`;
    - `stamp`: mtime in nanoseconds of a file that is not kept, so that its changes show.

    Not in a tree: owners, times, extended attributes, which names are hard links of one file, the
    mode of the workspace itself, and what is excluded.

What is seen as changed
    A file is read again when its mode, size, mtime, ctime or inode differ from the last scan, or
    when its ctime was so close to that scan that a later change could have the same. One way to
    change a file unseen remains: stores through a shared mapping that was already dirty (`mmap`)
    show their time only once the kernel has written the page out.
"""

from sandbox.snapshots.changes import Change, ChangeKind
from sandbox.snapshots.entries import EntryType
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotError, SnapshotNotFound
from sandbox.snapshots.file_diff import FileDiff, LineCounts
from sandbox.snapshots.prune import Pruner
from sandbox.snapshots.removal import remove_folder, size_of
from sandbox.snapshots.restore import RestoreResult
from sandbox.snapshots.scan import NotKept
from sandbox.snapshots.store import SnapshotStore
from sandbox.snapshots.text_diff import quoted
from sandbox.snapshots.workspace import Snapshots, WorkspaceSnapshot

__all__ = [
    "Change",
    "ChangeKind",
    "EntryType",
    "FileDiff",
    "LineCounts",
    "NotKept",
    "Pruner",
    "RestoreResult",
    "SnapshotDamaged",
    "SnapshotError",
    "SnapshotNotFound",
    "SnapshotStore",
    "Snapshots",
    "WorkspaceSnapshot",
    "quoted",
    "remove_folder",
    "size_of",
]
