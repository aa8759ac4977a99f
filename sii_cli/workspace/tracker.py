"""Tracks the workspace of a session: a snapshot after each step, during the next model call.

No failure of it ends a session.
"""

from __future__ import annotations

import asyncio
import glob
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from recordings.conversation.snapshots import SnapshotTrail, StepSnapshot
from recordings.errors import RecordingError
from recordings.events import EventData, FileChange, Snapshot, SnapshotFailed
from sandbox.snapshots import (
    LineCounts,
    NotKept,
    SnapshotDamaged,
    SnapshotError,
    SnapshotNotFound,
    Snapshots,
    quoted,
)
from sii_cli.config.settings import Settings
from sii_cli.debug_log import logger
from sii_cli.workspace.history import snapshot_store

_LOG = logger(__name__)

Cause = Literal["start", "step", "round", "resume", "command", "before", "undo", "restore"]
_OF_OTHERS = frozenset({"round", "resume", "command", "before"})
"""Causes of snapshots that have what others changed."""
_MOST_DIFF = 20_000
"""Characters of the diffs that are shown before a restore."""
MAX_NAMED = 200
"""The most changes that one event names."""
MAX_FILES = 200_000
"""Entries of a workspace; of a larger one (a home directory, a disk) no snapshot is taken."""
_LEAVE = 30.0
"""Seconds that the session's end waits for the last snapshot."""
_HURRIED = 1.0
"""The same once somebody asked to stop."""


@dataclass(frozen=True, slots=True)
class RestoredTree:
    """The result of restoring an earlier tree."""

    event: Snapshot
    missing: tuple[str, ...]
    """Paths that could not be restored: not in a snapshot, or not writable."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What a restore would change."""

    changes: tuple[FileChange, ...]
    more: int
    """Changes that are not named."""
    diff: str
    """As unified diffs."""
    left: tuple[str, ...]
    """Paths that are left as they are."""


class WorkspaceTracker:
    """The snapshots of one session (a `RoundObserver`)."""

    def __init__(self, settings: Settings) -> None:
        self._store = snapshot_store(settings.home)
        self._exclude = tuple(settings.snapshot_exclude)
        self._snapshots = Snapshots(
            settings.workspace,
            self._store,
            exclude=[*self._exclude, *_inside(settings.home, settings.workspace)],
            max_entries=MAX_FILES,
        )
        self._refused = _why_not(settings.workspace)
        self._note: Callable[[EventData], object] | None = None
        self._running: asyncio.Task[None] | None = None
        self._failure = ""
        self._rests = False
        """Whether no snapshots are taken: after a failure, until the next round."""
        self._reported: set[str] = set()
        self.kept: list[StepSnapshot] = []
        """The recorded snapshots, in order."""
        self.rounds: list[int] = []
        """After which step each round began."""

    def begin(self) -> None:
        """Read the workspace in the background, so that the first snapshot costs little."""
        if not self._refused:
            self._running = asyncio.create_task(self._warm_up())

    def report_to(self, note: Callable[[EventData], object] | None) -> None:
        """Record with `note` from now on."""
        self._note = note

    def resume(self, recorded: SnapshotTrail) -> None:
        """Continue after the snapshots of a recording."""
        self.kept, self.rounds = list(recorded.kept), list(recorded.rounds)

    def round_begins(self, step: int) -> None:
        """Take a snapshot of what others changed between rounds."""
        self.rounds.append(step)
        self._rests = False
        self._begin("round" if self.kept else "start", step)

    def calls_ended(self, step: int, *, may_change: bool) -> None:
        """Take a snapshot of what the calls changed, during the next model call."""
        if may_change:
            self._begin("step", step)

    async def wait_until_safe(self) -> None:
        """Wait for the running snapshot: later changes belong to the next one."""
        if self._running is not None and not self._running.done():
            await asyncio.shield(self._running)

    async def take_snapshot(self, cause: Cause, step: int) -> Snapshot | None:
        """Take a snapshot now; return its event, or `None` when nothing changed."""
        await self.wait_until_safe()
        self._rests = False
        return await self._take(cause, step)

    async def changed_by_others(self, since: int) -> frozenset[str]:
        """Return the paths that others changed after the snapshot `kept[since]`.

        Raises `SnapshotError`.
        """
        paths: set[str] = set()
        for before, after in pairwise(self.kept[since:]):
            if after.cause in _OF_OTHERS:
                changes = await self._store.changes(before.tree, after.tree)
                paths.update(change.path for change in changes)
        return frozenset(paths)

    async def differences(self, tree: str, leave: Collection[str]) -> Differences:
        """Return what restoring a tree would change. Raises `SnapshotError`."""
        now = self.kept[-1].tree
        counted, more = await self._store.count_lines(now, tree, MAX_NAMED)
        diffs = await self._store.diff(now, tree, max_text=_MOST_DIFF)
        return Differences(
            tuple(_change(item) for item in counted if item.change.path not in leave),
            more,
            "".join(diff.text for diff in diffs if diff.change.path not in leave),
            tuple(quoted(item.change.path) for item in counted if item.change.path in leave),
        )

    async def restore(
        self, tree: str, cause: Cause, step: int, *, leave: Collection[str] = ()
    ) -> RestoredTree | None:
        """Restore a tree, but for the paths to `leave`; return what was recorded, or `None` when
        nothing differs.

        A snapshot is taken first, so that an interrupted restore is known. Raises
        `SnapshotError`.
        """
        await self.wait_until_safe()
        self._rests = False
        changed = await self._take("before", step, towards=tree)
        begin = time.monotonic()
        restored = await self._snapshots.restore(tree, leave=leave)
        if not restored.changes and changed is None:
            return None
        before = self.kept[-1].tree if self.kept else None
        event = await self._describe(
            cause, step, before, restored.tree_sha256, (), time.monotonic() - begin
        )
        self._record(event)
        return RestoredTree(event, tuple(quoted(change.path) for change in restored.missing))

    async def close(self, hurried: asyncio.Event | None = None) -> None:
        """Wait for the last snapshot for a limited time, and close the store.

        Once `hurried` is set the wait is a second at most: somebody asked to stop.
        """
        try:
            if self._running is not None:
                await self._finish(self._running, hurried or asyncio.Event())
        finally:
            self._snapshots.close()
            self._store.close()

    async def _finish(self, running: asyncio.Task[None], hurried: asyncio.Event) -> None:
        """Wait for the last snapshot for a limited time, and give it up then."""
        asked = asyncio.create_task(hurried.wait())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait([running, asked], timeout=_LEAVE, return_when=first)
            if hurried.is_set():
                await asyncio.wait([running], timeout=_HURRIED)
        finally:
            asked.cancel()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    def _begin(self, cause: Cause, step: int) -> None:
        before = self._running
        self._running = asyncio.create_task(self._after(before, cause, step))

    async def _after(self, before: asyncio.Task[None] | None, cause: Cause, step: int) -> None:
        if before is not None:
            try:
                await asyncio.wait([before])
            except asyncio.CancelledError:
                before.cancel()
                await asyncio.wait([before])
                raise
        if not self._rests:
            await self._take(cause, step)

    async def _warm_up(self) -> None:
        with suppress(SnapshotError):  # the first snapshot reports it, once there is a recording
            await self._snapshots.snapshot()

    async def _take(self, cause: Cause, step: int, towards: str | None = None) -> Snapshot | None:
        """Take a snapshot now; one before a restore `towards` another tree is always recorded."""
        if self._refused:
            self._failed(step, self._refused)
            return None
        try:
            snapshot = await self._snapshots.snapshot()
            before = self.kept[-1].tree if self.kept else None
            if snapshot.tree_sha256 == before and towards in (None, before):
                self._failure = ""
                return None
            event = await self._describe(
                cause, step, before, snapshot.tree_sha256, snapshot.not_kept, snapshot.seconds
            )
        except Exception as error:
            known = isinstance(error, SnapshotError)
            if not known:
                _LOG.exception("no snapshot was taken")
            self._failed(step, str(error) if known else f"{type(error).__name__}: {error}")
            return None
        self._record(event)
        return event

    async def _describe(
        self,
        cause: Cause,
        step: int,
        before: str | None,
        tree: str,
        not_kept: Sequence[NotKept],
        seconds: float,
    ) -> Snapshot:
        """Return the event of a tree. Raises `SnapshotError`."""
        counted: Sequence[LineCounts] = ()
        more = 0
        if before is not None:
            with suppress(SnapshotNotFound, SnapshotDamaged):  # what was before is lost
                counted, more = await self._store.count_lines(before, tree, MAX_NAMED)
        news = [f"{quoted(item.path)}: {item.why}" for item in not_kept]
        news = sorted(line for line in news if line not in self._reported)[:MAX_NAMED]
        self._reported.update(news)
        return Snapshot(
            step=step,
            cause=cause,
            tree=tree,
            changes=[_change(item) for item in counted],
            unnamed=more,
            not_kept=news,
            excluded=list(self._exclude) if before is None else [],
            seconds=round(seconds, 6),
        )

    def _record(self, event: Snapshot) -> None:
        self._failure = ""
        self.kept.append(StepSnapshot(event.step, event.tree, event.cause))
        self._say(event)

    def _failed(self, step: int, reason: str) -> None:
        self._rests = True
        if reason != self._failure:
            self._failure = reason
            self._say(SnapshotFailed(step=step, reason=reason))

    def _say(self, data: EventData) -> None:
        if self._note is not None:
            with suppress(RecordingError):  # the loop's own next event fails, too
                self._note(data)


def _why_not(workspace: Path) -> str:
    """Return why no snapshots are taken of a workspace: it is a whole home or disk."""
    if workspace.resolve() not in (Path("/"), Path.home().resolve()):
        return ""
    return (
        f"No snapshots are taken of {workspace}: work in the directory of a project to have what "
        "each step changed kept."
    )


def _inside(home: Path, workspace: Path) -> list[str]:
    """Return the glob of sii's own folder, when it is in the workspace."""
    try:
        relative = home.resolve().relative_to(workspace.resolve())
    except ValueError:
        return []
    return [f"/{glob.escape(str(relative))}"] if relative.parts else []


def _change(item: LineCounts) -> FileChange:
    change = item.change
    return FileChange(
        path=quoted(change.path) + ("/" if change.type == "directory" else ""),
        kind=change.kind,
        added=item.added,
        removed=item.removed,
        binary=change.binary,
        not_kept=change.not_kept,
    )
