"""Directory trees as values, to compare what stands on the disk with what should."""

from __future__ import annotations

import os
import stat
from pathlib import Path

Tree = dict[bytes, tuple[str, int, bytes]]
"""By path: type, permission bits (0 of links), content or target."""


def tree_of(folder: Path) -> Tree:
    """Return what stands in a folder, read plainly."""
    tree: Tree = {}
    _add(tree, os.fsencode(folder), b"")
    return tree


def _add(tree: Tree, folder: bytes, prefix: bytes) -> None:
    for item in os.scandir(folder):
        mode = stat.S_IMODE(item.stat(follow_symlinks=False).st_mode)
        path = prefix + item.name
        if item.is_symlink():
            tree[path] = "symlink", 0, os.readlink(item.path)
        elif item.is_dir():
            tree[path] = "directory", mode, b""
            _add(tree, item.path, path + b"/")
        elif item.is_file():
            with open(item.path, "rb") as file:
                tree[path] = "file", mode, file.read()
        else:
            tree[path] = "special", mode, b""
