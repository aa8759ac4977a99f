"""The harness message after a new sandbox: what is lost with the old one, and what remains."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.conversation.sandbox_state import NEW_SANDBOX, SandboxState, SandboxTrail
from recordings.events import HarnessMessage
from sii_cli.model.control_tokens import neutralise
from tools.command_text import job_command

_JOBS = 20
"""The most jobs that are named."""


def new_sandbox_note(trail: SandboxTrail, *, setup: bool) -> HarnessMessage:
    """Return the message about what is lost; `setup`: commands set every sandbox up."""
    sentences = [
        "The sandbox that you worked in is gone, and a new one has taken its place.",
        f"Gone with it: {'; '.join(_gone(trail.lost))}.",
        "The files in /workspace are still there.",
    ]
    if setup:
        sentences.append("The set-up commands are run again in the new one.")
    if trail.now:
        sentences.append("Calls that came after it was gone ran in the new one.")
    sentences.append("Make again what you still need.")
    return HarnessMessage(reason=NEW_SANDBOX, text=neutralise(" ".join(sentences))[0])


def _gone(lost: SandboxState) -> Iterator[str]:
    if lost.python:
        yield "the Python interpreter's variables and imports"
    if lost.shell:
        yield "the shell's directory, variables and functions"
    if lost.files:
        yield "what was written or installed outside /workspace (as by pip or apt, in ~ or /tmp)"
    if lost.jobs:
        named = [f"job {number}: {job_command(text)}" for number, text in lost.jobs.items()]
        more = [f"{len(named) - _JOBS} more"] if len(named) > _JOBS else []
        yield f"the background jobs that still ran ({'; '.join(named[:_JOBS] + more)})"
