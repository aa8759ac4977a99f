"""Data sets on a machine of a cluster: used where they lie, or received once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandbox.own_folder import OwnFolder
from sandbox.snapshots.content import stamp_of
from sii_cli.batch.sessions.archive import pack_data, unpack
from sii_cli.data_sets.data_set import DataSet, why_changed
from sii_cli.data_sets.registry import keep_data_set
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable

MOST_SENT = 1 << 30
"""Bytes of a data set that is sent: it is held in memory."""

Fetch = Callable[[Any], bytes]


class NodeData:
    """The data sets of one machine, each received once."""

    def __init__(self) -> None:
        self._folder: OwnFolder | None = None
        self._here: dict[str, DataSet] = {}
        """By the hash of their content."""
        self._lock = threading.Lock()

    def provide(
        self, home: Path, data_sets: Sequence[DataSet], sent: Mapping[str, Any], fetch: Fetch
    ) -> None:
        """Let a session's home on this machine have data sets. Blocks.

        `fetch` returns the archive of what is under a hash in `sent`.
        Raises `WorkspaceUnavailable` for one that is not here and was not sent, and what `unpack`
        raises.
        """
        for one in data_sets:
            with self._lock:
                if one.sha256 not in self._here:
                    self._here[one.sha256] = self._receive(one, sent, fetch)
                here = self._here[one.sha256]
            keep_data_set(home, replace(here, name=one.name))

    def _receive(self, one: DataSet, sent: Mapping[str, Any], fetch: Fetch) -> DataSet:
        if why_changed(one) is None:  # a file system that the machines share
            return one
        if one.sha256 not in sent:
            raise WorkspaceUnavailable(
                f"The data set {one.name} has more than {MOST_SENT >> 30} GiB, which are not sent: "
                f"put it at {one.path} on a file system that all machines of the cluster share."
            )
        if self._folder is None:
            self._folder = OwnFolder("data")
        place = self._folder.path / one.sha256
        unpack(fetch(sent[one.sha256]), place)
        path = place / Path(one.path).name
        return replace(one, path=str(path), stamp=stamp_of(path))


def sendable(data_sets: Sequence[DataSet]) -> list[DataSet]:
    """Return the data sets that are small enough to be sent."""
    return [one for one in data_sets if one.size <= MOST_SENT]


def packed(data_set: DataSet) -> bytes:
    """Return a data set as an archive. Blocks. Raises `WorkspaceUnavailable`, `OSError`."""
    if why := why_changed(data_set):
        raise WorkspaceUnavailable(why)
    return pack_data(Path(data_set.path))
