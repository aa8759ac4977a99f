"""Events of tool calls."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from recordings.events.parts import BlobRef, EventBase, EventPart, Neutralised, Truncation


class Permission(EventPart):
    """Whether a call may run, and who decided."""

    later: ClassVar[frozenset[str]] = frozenset({"rule"})
    by: Literal["human", "mode", "nobody", "rule"]
    mode: str
    allowed: bool = True
    words: str | None = None
    """What the human said of a refusal, or why else the call was refused."""
    rule: str | None = None
    """The rule that decided, or that made sii ask the human."""


class PermissionRequest(EventBase):
    """The human is asked whether a call of the last response may run; the call waits."""

    type: ClassVar[str] = "permission_request"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    name: str
    about: list[str] = []
    """What of the call is in question: the commands of a shell command, or a path."""
    rule: str | None = None
    """The rule that asks; `None`: the mode."""
    mode: str


class PermissionAnswer(EventBase):
    """The human answered a `permission_request`. One without an answer was interrupted."""

    type: ClassVar[str] = "permission_answer"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    answer: Literal["once", "session", "no"]
    words: str | None = None
    """Why not, in the human's words; the model reads them as the human's."""
    rules: list[str] = []
    """What is allowed until the session is left."""
    speaker: str | None = None
    """Pseudonym of the human."""


class ToolCall(EventBase):
    """A tool call that is about to run, or is refused."""

    type: ClassVar[str] = "tool_call"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    index: int
    name: str
    arguments: str
    parsed: dict[str, Any] | None = None
    """`None` when the arguments are not a JSON object."""
    approval: Permission


class ToolOutput(EventBase):
    """Output of a running call, of about a second; the observation has what counts."""

    type: ClassVar[str] = "tool_output"
    call_id: str
    text: str
    pieces: list[tuple[int, int]] = []
    """As in `model_delta`."""


class Observation(EventBase):
    """What a tool call returned: the model reads `text`."""

    type: ClassVar[str] = "observation"
    durable: ClassVar[bool] = True
    step: int
    call_id: str
    name: str
    text: str
    neutralised: list[Neutralised] = []
    """Control tokens that were neutralised in `text`; `full` has the output as it was."""
    error: str | None = None
    """Kind of the error, or `None` when the call succeeded. `tool_infra` is a failure of the
    installation (the search service is down, there is no network), not of the model or of what it
    asked for. Each tool names its own kinds."""
    exit_code: int | None = None
    """Of bash and python, as they report it: code that runs in them can forge it."""
    seconds: float
    truncated: Truncation | None = None
    full: BlobRef | None = None
    """The whole output, where `text` is not the output as it was."""
    raw: BlobRef | None = None
    """The raw response of an external service (web tools)."""
    changed: list[str] = []
    """Files of the workspace that the call is known to have changed."""
    details: dict[str, Any] = {}
    """More for the screen and for analysis, by tool: a diff, a todo list, a URL, …"""

    def blobs(self) -> tuple[BlobRef, ...]:
        """Return the outputs that are kept."""
        return tuple(ref for ref in (self.full, self.raw) if ref is not None)
