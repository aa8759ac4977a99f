"""What calls left in a sandbox outside the workspace, and what is lost when the sandbox ends.

Computed from events alone: a running session follows them as they happen, a resumed session reads
them back, so both have the same result.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import Any, Final

from recordings.events import (
    Event,
    HarnessMessage,
    ModelRequest,
    Observation,
    SandboxEnd,
    SandboxStart,
    SessionResume,
    ToolCall,
)

NEW_SANDBOX: Final = "new_sandbox"
"""Reason of the harness message that says what was lost with the sandbox."""
_WORKSPACE = "/workspace"
_WRITERS = frozenset({"write_file", "edit_file"})
_NOT_BEGUN = frozenset(
    {"not_run", "rejected", "unknown_tool", "bad_json", "bad_arguments"}
    | {"sandbox_unavailable", "not_started"}
)
"""Errors of calls that were not begun."""


@dataclass(slots=True)
class SandboxState:
    """What a sandbox holds outside the workspace."""

    shell: bool = False
    """Commands were run in the shell, which has a directory, variables and functions."""
    python: bool = False
    """Code was run in the interpreter, which has variables and imports."""
    files: bool = False
    """Files may have been written outside the workspace."""
    jobs: dict[int, str] = field(default_factory=dict)
    """Commands of the jobs that have not ended, by number."""

    def __bool__(self) -> bool:
        return self.shell or self.python or self.files or bool(self.jobs)

    def add(self, other: SandboxState) -> None:
        """Add what another state holds."""
        self.shell |= other.shell
        self.python |= other.python
        self.files |= other.files
        self.jobs |= other.jobs


@dataclass(slots=True)
class SandboxTrail:
    """Follows a session's events: what its sandbox holds, and what is lost and not yet reported."""

    now: SandboxState = field(default_factory=SandboxState)
    lost: SandboxState = field(default_factory=SandboxState)
    """What is lost and was not yet reported to the model."""
    _sandbox_id: str | None = None
    _begun: dict[str, ToolCall] = field(default_factory=dict)
    _at_resume: tuple[SandboxState, SandboxState] | None = None
    """`now` and `lost` when the session was resumed: its sandbox may be the same."""

    def feed(self, event: Event) -> None:
        """Update both from the session's next event."""
        if event.parent is not None:  # a call that ran at the fork is the parent's
            self._begun.clear()
        match event.data:
            case ToolCall() as call:
                self._begun[call.call_id] = call
            case Observation() as observation:
                self._observe(observation)
            case SandboxStart(sandbox_id=name):
                self._start(name)
            case SandboxEnd():
                self._leave()
            case SessionResume():
                lost = replace(self.lost, jobs=dict(self.lost.jobs))
                self._at_resume = self._leave(), lost
            case HarnessMessage(reason=reason) if reason == NEW_SANDBOX:
                self.lost, self._at_resume = SandboxState(), None
            case ModelRequest():
                self._begun.clear()
                self._at_resume = None

    def _start(self, name: str) -> None:
        if name != self._sandbox_id:
            self.lost.add(self.now)
            self.now = SandboxState()
        elif self._at_resume is not None:  # the recording was closed, but not the sandbox
            self.now, self.lost = self._at_resume
        self._sandbox_id, self._at_resume = name, None

    def _leave(self) -> SandboxState:
        """Count the sandbox, with the calls that ran in it, as ended; return what it held."""
        held, self.now = self.now, SandboxState()
        for call in self._begun.values():
            held.add(_left_by(call, {}))
        self._begun.clear()
        self.lost.add(held)
        return held

    def _observe(self, observation: Observation) -> None:
        call = self._begun.pop(observation.call_id, None)
        if call is not None and observation.error not in _NOT_BEGUN:
            self.now.add(_left_by(call, observation.details))
        ended = observation.details.get("ended_jobs")
        for job in ended if isinstance(ended, list) else ():
            if isinstance(job, int):
                self.now.jobs.pop(job, None)


def _left_by(call: ToolCall, details: dict[str, Any]) -> SandboxState:
    """Return what a call may have left outside the workspace."""
    arguments = call.parsed or {}
    match call.name:
        case "python":
            return SandboxState(python=True, files=True)
        case "bash" if isinstance(job := details.get("job"), int):
            return SandboxState(files=True, jobs={job: str(arguments.get("command", ""))})
        case "bash":
            return SandboxState(shell=not arguments.get("background"), files=True)
        case name if name in _WRITERS:
            path = posixpath.normpath(posixpath.join(_WORKSPACE, str(arguments.get("path", ""))))
            return SandboxState(files=path != _WORKSPACE and not path.startswith(f"{_WORKSPACE}/"))
        case _:
            return SandboxState()
