"""Compares the workspace after a step with the snapshot that the recording names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
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
    """The workspace of a re-execution, compared with the snapshots of a recording.

    Nothing is added to the store that the recording's snapshots are in.
    """

    def __init__(
        self, workspace: Path, recorded: SnapshotStore, place: Path, rules: Sequence[Rule]
    ) -> None:
        """`place` is an empty directory for temporary stores."""
        self._recorded = recorded
        self._place = place
        self._workspace = workspace
        self._rules = [rule for rule in rules if rule.kind == "files"]
        self._store = SnapshotStore(place / "store")
        self._snapshots: Snapshots | None = None
        self._expected: Snapshot | None = None
        self._step = 0
        """The step that runs; 0: none."""
        self._is_unsure = False

    def close(self) -> None:
        """Close both stores."""
        if self._snapshots is not None:
            self._snapshots.close()
        self._store.close()
        self._recorded.close()

    async def feed(self, snapshot: Snapshot | None) -> list[FilesReport]:
        """Receive a snapshot event; `None` means the workspace is unknown from here on.

        Changes by others between rounds are applied here too. Raises `SnapshotError`.
        """
        if snapshot is None or snapshot.cause in ("step", "command"):
            self._expect(snapshot)
            return []
        reports = await self.step_ends()
        self._expect(snapshot)
        if snapshot.cause == "start":
            return [*reports, *(found for found in await self._check(0) if found.differs)]
        await self._bring(snapshot)
        return reports

    async def step_begins(self, step: int) -> list[FilesReport]:
        """Compare the workspace when this ends the step before. Raises `SnapshotError`."""
        reports = await self.step_ends() if step != self._step else []
        self._step = step
        return reports

    async def step_ends(self) -> list[FilesReport]:
        """Compare the workspace after the last step. Raises `SnapshotError`."""
        step, self._step = self._step, 0
        if self._is_unsure:
            self._is_unsure = False
            if self._expected is not None:
                await self._bring(self._expected)
            return []
        return await self._check(step) if step else []

    def not_repeatable(self) -> None:
        """Note that the step cannot be repeated: its files are taken from the recording."""
        self._is_unsure = True

    def _expect(self, snapshot: Snapshot | None) -> None:
        self._expected = snapshot
        if snapshot is not None and self._snapshots is None:
            self._snapshots = Snapshots(self._workspace, self._store, exclude=snapshot.excluded)

    async def _bring(self, snapshot: Snapshot) -> None:
        assert self._snapshots is not None
        try:
            await self._snapshots.restore(await self._known(snapshot))
        except SnapshotNotFound:
            self._expect(None)

    async def _check(self, step: int) -> list[FilesReport]:
        """Compare; return nothing if the recorded workspace is not known."""
        expected = self._expected
        if expected is None or self._snapshots is None:
            return []
        now = (await self._snapshots.snapshot()).tree_sha256
        if now == expected.tree:
            return [FilesReport(step)]
        try:
            changes = await self._store.changes(await self._known(expected), now)
        except SnapshotNotFound:
            return [FilesReport(step, (LOST,))]
        return [self._report(step, changes)]

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
        """Copy a recorded tree into the own store; return its hash there."""
        with TemporaryDirectory(dir=self._place, ignore_cleanup_errors=True) as folder:
            target = Path(folder) / "tree"
            await self._recorded.materialise(snapshot.tree, target)
            with closing(Snapshots(target, self._store)) as copy:
                return (await copy.snapshot()).tree_sha256
