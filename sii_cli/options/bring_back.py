"""`--restore`: the workspace as its last snapshot has it, before a session goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from recordings.recorder import Recorder
from recordings.store.workspaces import last_settled
from sii_cli.assembly import make_key
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.options.settings import load
from sii_cli.render.changes import change_lines
from sii_cli.workspace.watch import BroughtBack, WorkspaceWatch


def bring_workspace_back(recording: Path, flags: dict[str, Any]) -> None:
    """Do it, record it, and say what it changed.

    Raises `UsageError`, `RecordingError`, `SnapshotError`.
    """
    back = asyncio.run(_bring_back(recording, load(flags)))
    if back is None:
        click.echo("The workspace is as its last snapshot has it.", err=True)
        return
    missing = [f"  not brought back: {path}" for path in back.missing]
    lines = ["The workspace is as it was:", *change_lines(back.event), *missing]
    click.echo("\n".join(lines), err=True)


async def _bring_back(recording: Path, settings: Settings) -> BroughtBack | None:
    watch = WorkspaceWatch(settings, may_change=lambda name: True)
    recorder = Recorder.resume(recording, key=make_key(settings))
    try:
        watch.go_on_with(recording)
        last, _ = last_settled(recording)
        if last is None:
            raise UsageError(
                f"{recording.name} names no snapshot of its workspace: go on without --restore."
            )
        watch.report_to(lambda data: recorder.record(data, "harness"))
        return await watch.bring_back(last.tree, "restore", last.step)
    finally:
        await watch.close()
        recorder.close()
