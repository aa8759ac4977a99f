"""A disk of a few kilobytes, mounted for a test: it can be filled, and made read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class SmallDisk:
    """A tmpfs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free."""
        with open(self.root / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                file.truncate(max(0, file.tell() - leave))

    def read_only(self) -> None:
        """Let nothing be written any more."""
        subprocess.run(["mount", "-o", "remount,ro", self.root], check=True)

    def writable(self) -> None:
        """Take that back."""
        subprocess.run(["mount", "-o", "remount,rw", self.root], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 1 MB; skipped where it cannot be mounted."""
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a disk can only be mounted by root")
    yield SmallDisk(root)
    subprocess.run(["umount", "-l", root], check=True)
