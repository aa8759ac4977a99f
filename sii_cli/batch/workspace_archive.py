"""A workspace as bytes, to be sent to another machine; and a session's folder on its way home."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from sii_cli.workspace_history import keeping_snapshots


def pack(folder: Path) -> bytes:
    """Return all that is in a folder as a tar archive. Blocks."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return buffer.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Fill a folder from an archive that `pack` made; nothing is written outside it. Blocks."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="tar")


def bring_home(data: bytes, home: Path) -> None:
    """Put what a session left behind on another machine into the batch's folder. Blocks.

    A recording appears whole or not at all; what is there already is left alone.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=home) as name:
        incoming = Path(name)
        unpack(data, incoming)
        with keeping_snapshots(home):  # they may come before the recordings that name them
            _merge(incoming, home)


def _merge(source: Path, target: Path) -> None:
    """Folders that are there are gone into: of recordings each is new, of objects some are."""
    for path in source.iterdir():
        there = target / path.name
        if not there.exists():
            path.replace(there)
        elif path.is_dir() and not path.is_symlink() and there.is_dir():
            _merge(path, there)
