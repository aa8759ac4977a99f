"""Compares the workspace after a step with the snapshot that the recording names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from recordings.events import Snapshot
from sandbox.snapshots import Change, SnapshotNotFound, Snapshots, SnapshotStore, quoted
from sii_cli.reexecution.rules import Rule

LOST = "unknown which: the recorded snapshot is not here"


@dataclass(frozen=True, slots=True)
class FilesReport:
    """The workspace after a step; step 0 is the start."""

    step: int
    differs: tuple[str, ...] = ()
    """`kind path` of what is not as it was: modified, added, deleted, mode, type."""
    rules: tuple[str, ...] = ()
    """Rules that let other files differ."""


class RecordedFiles:
    """The workspace of a re-execution, held against the snapshots of a recording.

    Nothing is added to the store that the recording's snapshots are in.
    """

    def __init__(
        self, workspace: Path, recorded: SnapshotStore, place: Path, rules: Sequence[Rule]
    ) -> None:
        """`place` is an empty directory of our own."""
        self._recorded = recorded
        self._place = place
        self._workspace = workspace
        self._rules = [rule for rule in rules if rule.kind == "files"]
        self._store = SnapshotStore(place / "store")
        self._snapshots: Snapshots | None = None
        self._expected: Snapshot | None = None

    def close(self) -> None:
        """Let go of both stores."""
        self._store.close()
        self._recorded.close()

    def expect(self, snapshot: Snapshot | None) -> None:
        """Have the workspace be so from now on; none: nobody knows how it is."""
        self._expected = snapshot
        if snapshot is not None and self._snapshots is None:
            self._snapshots = Snapshots(self._workspace, self._store, exclude=snapshot.excluded)

    async def bring(self, snapshot: Snapshot) -> None:
        """Bring the workspace to what others made of it then, where that is known.

        Raises `SnapshotError`.
        """
        self.expect(snapshot)
        assert self._snapshots is not None
        try:
            await self._snapshots.restore(await self._known(snapshot))
        except SnapshotNotFound:
            self.expect(None)

    async def check(self, step: int) -> FilesReport | None:
        """Compare after a step; none: nobody knows how it was. Raises `SnapshotError`."""
        expected = self._expected
        if expected is None or self._snapshots is None:
            return None
        now = (await self._snapshots.snapshot()).tree_sha256
        if now == expected.tree:
            return FilesReport(step)
        try:
            changes = await self._store.changes(await self._known(expected), now)
        except SnapshotNotFound:
            return FilesReport(step, (LOST,))
        return self._report(step, changes)

    def _report(self, step: int, changes: Sequence[Change]) -> FilesReport:
        differs: list[str] = []
        used: dict[str, None] = {}
        for change in changes:
            rule = next((rule for rule in self._rules if rule.pattern.search(change.path)), None)
            if rule is None:
                differs.append(f"{change.kind} {quoted(change.path)}")
            else:
                used[rule.name] = None
        return FilesReport(step, tuple(differs), tuple(used))

    async def _known(self, snapshot: Snapshot) -> str:
        """Have a recorded tree in our own store; return its name there."""
        with TemporaryDirectory(dir=self._place, ignore_cleanup_errors=True) as folder:
            target = Path(folder) / "tree"
            await self._recorded.materialise(snapshot.tree, target)
            copy = Snapshots(target, self._store)
            return (await copy.snapshot()).tree_sha256
