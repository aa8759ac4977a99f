"""Commands that the human runs in the session's shell, and files that they attach."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from pydantic import ValidationError

from recordings.events import HarnessMessage, HumanCommand, Truncation
from sandbox.protocol import SandboxProvider
from sii_cli.agent.loop import AgentLoop
from sii_cli.agent.output_pieces import OutputPieces
from sii_cli.agent.round_control import RoundOver
from sii_cli.model.control_tokens import neutralise
from sii_cli.workspace.tracker import WorkspaceTracker
from tools.base import ToolError, ToolResult
from tools.bash import Bash, BashParams

_TOLD = (
    "The human ran a command in your shell, between your steps:\n\n$ {command}\n\n"
    "It ended{how} and wrote:\n\n{output}"
)


async def run_human_command(
    command: str,
    *,
    told: bool,
    loop: AgentLoop,
    sandbox: SandboxProvider,
    tracker: WorkspaceTracker | None,
    speaker: str | None,
) -> None:
    """Run a command of the human in the session's shell, and record it with what it changed.

    Where it is `told`, the model reads of it before the next message. Cancelling it ends the
    command, which is recorded as interrupted. Raises `RoundOver` when it was cancelled before the
    command began, `SandboxError` when there is no sandbox, and `RecordingFailed`.
    """
    try:
        if tracker is not None:  # what others changed before is not this command's
            await tracker.take_snapshot("round" if tracker.kept else "start", loop.steps)
    except asyncio.CancelledError:
        raise RoundOver("interrupted", "it was interrupted before the command began") from None
    begun = time.monotonic()
    try:
        result = await _run(command, sandbox, OutputPieces("", loop.show))
    except asyncio.CancelledError:
        result = ToolResult("", error="interrupted")
    cut = result.cut
    ran = HumanCommand(
        step=loop.steps,
        command=command,
        text=result.text,
        told=told,
        error=result.error,
        exit_code=result.exit_code,
        seconds=round(time.monotonic() - begun, 6),
        truncated=Truncation(bytes=cut.bytes, lines=cut.lines) if cut else None,
        speaker=speaker,
    )
    loop.note(ran, "human")
    if told:
        loop.inbox.add_note(told_note(ran))
    if tracker is not None:
        with suppress(asyncio.CancelledError):  # the next snapshot has what it changed
            await tracker.take_snapshot("command", loop.steps)


async def _run(command: str, sandbox: SandboxProvider, pieces: OutputPieces) -> ToolResult:
    try:
        return await Bash(sandbox).run(BashParams(command=command), pieces.add)
    except (ToolError, ValidationError) as error:
        return ToolResult(str(error), error="bad_arguments")


def told_note(ran: HumanCommand) -> HarnessMessage:
    """Return what the model reads of a command."""
    how = f" ({ran.error})" if ran.error else ""
    how = f" with exit code {ran.exit_code}" if ran.exit_code and not how else how
    text = _TOLD.format(command=ran.command, how=how, output=ran.text or "(nothing)")
    return HarnessMessage(reason="human_command", text=neutralise(text)[0])
