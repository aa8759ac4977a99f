"""Events of tool calls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.parts import BlobRef, EventBase, EventPart, Neutralised, Truncation


class Permission(EventPart):
    """Whether a call may run, and who decided."""

    by: Literal["human", "mode", "nobody"]
    mode: str
    allowed: bool = True
    words: str | None = None


class ToolCall(EventBase):
    """A call about to run (or to be refused)."""

    type: ClassVar[str] = "tool_call"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    index: int
    name: str
    arguments: str
    parsed: dict[str, Any] | None = None
    """None: the arguments were not a JSON object."""
    approval: Permission


class ToolOutput(EventBase):
    """Live output of a running call, coalesced over about a second; for replays, not for truth."""

    type: ClassVar[str] = "tool_output"
    call_id: str
    text: str
    pieces: list[tuple[int, int]] = []
    """As in `model_delta`."""


class Observation(EventBase):
    """What a call returned: `text` is what the model reads."""

    type: ClassVar[str] = "observation"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    name: str
    text: str
    neutralised: list[Neutralised] = []
    """Control tokens defused in `text`; `full` has the output as it was."""
    error: str | None = None
    """Kind of the error, none when the call worked. `tool_infra`: it failed for a reason of the
    installation (a search service that is down, no network, a broken part), not for one of the
    model's or of what it asked for."""
    exit_code: int | None = None
    """Of bash and python as they say it themselves: code that means to can forge it."""
    seconds: float
    truncated: Truncation | None = None
    full: BlobRef | None = None
    """The whole output, where `text` does not hold it as it was."""
    raw: BlobRef | None = None
    """What an outside service answered, as it answered (web tools)."""
    changed: list[str] = []
    """Files of the workspace that the call is known to have changed."""
    details: dict[str, Any] = {}
    """More for the screen and for analysis, by tool: a diff, a todo list, a URL, …"""

    def blobs(self) -> tuple[BlobRef, ...]:
        """Return the blobs that it refers to."""
        return tuple(ref for ref in (self.full, self.raw) if ref is not None)
