"""The events: one envelope, one pydantic union. Everything a session thinks, calls and sees.

What each event means is written in `docs/recording.md`; how events reach the disk, in `log.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from recordings.migrations import SCHEMA_VERSION

Origin = Literal["human", "query", "model", "tool", "harness", "annotator", "compaction"]
"""Who made the text of an event. Training masks follow from it."""

RoundStatus = Literal[
    "answered", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"
]
QueryStatus = Literal[
    "solved",
    "answered",
    "unsolved",
    "gave_up",
    "limit",
    "loop",
    "cut_off",
    "empty",
    "refused",
    "failed",
    "infra",
]
"""How a query's session ended: `solved` and `unsolved` by its check, `answered` without one,
`gave_up` when feedback on a failed check moved the model to nothing more."""
SessionStatus = Literal[
    "done", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"
]


class Part(BaseModel):
    """A piece of an event's data: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BlobRef(Part):
    """Bytes kept beside the log under their hash."""

    sha256: str
    size: int
    """Bytes."""


class IdSpan(Part):
    """Token ids as `what stood there before + what is new`, so that a log grows linearly.

    "Before" is the prompt ids followed by the generated ids of the session's previous response
    that carries ids. `keep` counts the ids taken from its front; `new` follows them.
    """

    keep: int
    new: list[int]


class MessageSpan(Part):
    """The messages of a request as `what was sent before + what is new`.

    `keep` counts the messages taken from the front of the previous request's list; `new` holds
    the sequence numbers of the events whose messages follow (see `conversation.message_of`).
    """

    keep: int
    new: list[int]


class CallRequest(Part):
    """A tool call as the model wrote it; `arguments` is the raw string, valid JSON or not."""

    index: int
    call_id: str
    name: str
    arguments: str


class Usage(Part):
    """Token counts as the server reports them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Continuity(Part):
    """How a prompt's ids go on from the session's last call (its prompt, then what it generated).

    Only an extension can be trained on together with what stood before it.
    """

    kind: Literal["first", "extension", "break"]
    cause: Literal["new_round", "compaction", "drift"] | None = None
    """Why it breaks: templates drop earlier reasoning when a user speaks (`new_round`); messages
    were replaced (`compaction`); parsed text was rendered otherwise than generated (`drift`)."""
    at: int | None = None
    """The first id that differs."""


class StreamTiming(Part):
    """Seconds from sending the request."""

    first_chunk: float | None = None
    first_token: float | None = None
    total: float = 0.0
    chunks: int = 0


class Neutralised(Part):
    """Control tokens that stood in a text and were defused before it was sent."""

    token: str
    count: int


class SentTurn(Part):
    """A turn of the model as it goes back to it: what it wrote, with control tokens defused."""

    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []


class Truncation(Part):
    """What the model was not shown of an output."""

    bytes: int
    lines: int


class EventData(Part):
    """What one event says. `type` is its name on disk; `durable` events are synced to disk."""

    type: ClassVar[str]
    durable: ClassVar[bool] = False


class SessionStart(EventData):
    """The first event: who works where, with which model and tools, under which settings."""

    type: ClassVar[str] = "session_start"
    durable: ClassVar[bool] = True
    sii_version: str
    mode: Literal["interactive", "headless", "demo", "batch", "imported"]
    workspace: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    """What the server tells of itself: version, the model's entry in `/v1/models`."""
    context_length: int | None = None
    system_prompt: str
    tools: list[dict[str, Any]]
    """The tool schemas exactly as sent."""
    tools_sha256: str
    settings: dict[str, Any] = {}
    """What was in force, without secrets."""
    speaker: str | None = None
    """Pseudonym of the human at the prompt."""
    query: str | None = None
    """Name of the query that the task came from, when it came from a query file."""
    batch: str | None = None
    """Name of the batch that the session is part of."""
    attempt: int | None = None
    """Which of the batch's sessions of this query, from 1."""
    variant: dict[str, Any] = {}
    """Settings that the batch varied, as this session has them."""
    source: str | None = None
    """Where the query comes from."""
    license: str | None = None
    """Licence of the query and its workspace."""
    rubric: str | None = None
    """What a reviewer should look at."""
    tags: list[str] = []


class SessionResume(EventData):
    """The session goes on in a new run, after its end or after a crash.

    The clock `mono` begins anew here.
    """

    type: ClassVar[str] = "session_resume"
    durable: ClassVar[bool] = True
    sii_version: str
    model: str
    base_url: str
    server: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    lost: Literal["nothing", "model", "tool"] = "nothing"
    """What was under way when the last run died; it is not done again by itself."""


class CheckFound(Part):
    """What one look of `sii doctor` found."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""


class ServerCheck(EventData):
    """What `sii doctor --record` had found of the server and the machine, shortly before."""

    type: ClassVar[str] = "server_check"
    base_url: str
    examined: float
    """Seconds since the epoch."""
    checks: list[CheckFound]


class SandboxStart(EventData):
    """A sandbox is ready. A second one in a session means that the first was lost."""

    type: ClassVar[str] = "sandbox_start"
    durable: ClassVar[bool] = True
    backend: str
    sandbox_id: str
    image: str | None = None
    image_digest: str | None = None
    limits: dict[str, Any] = {}
    network: list[str] = []
    """Hosts that may be reached; empty: no network."""
    unlimited: list[str] = []
    """Names of the limits that this backend cannot hold."""
    read_only: bool = False
    """The workspace can only be read."""
    mounts: dict[str, str] = {}
    """Host paths shown read-only, by their place inside."""
    setup: list[str] = []
    """Commands that were run before the first call."""
    env: list[str] = []
    """Names of the variables that were set; their values are not kept."""
    start_seconds: float


class SandboxEnd(EventData):
    """The sandbox is gone, by our doing or not."""

    type: ClassVar[str] = "sandbox_end"
    sandbox_id: str
    reason: Literal["closed", "lost"]
    detail: str = ""


class NetworkRequest(EventData):
    """What something in the sandbox asked of the network, told when it was over.

    Of a tunnel (`CONNECT`) no more is known than its two ends and what passed.
    """

    type: ClassVar[str] = "network_request"
    sandbox_id: str
    host: str
    """As asked for, in lower case; empty when no host could be read."""
    port: int
    method: str
    """`CONNECT` for a tunnel, otherwise the HTTP method; empty when none could be read."""
    allowed: bool
    """The host is one of those that may be reached."""
    reason: str = ""
    """Why it was refused or failed: `not_allowed`, `not_public`, `misdirected` (a tunnel's TLS is
    for another host), `unknown_host`, `unreachable`, `timeout`, `bad_request`, `bad_answer`,
    `broken` (one side left), `closed` (the sandbox ended); empty when it went well."""
    address: str | None = None
    """What was connected to."""
    status: int | None = None
    """HTTP status that the client read."""
    sent: int = 0
    """Bytes of bodies, or through the tunnel, from the sandbox to the host."""
    received: int = 0
    """Bytes of bodies, or through the tunnel, from the host to the sandbox."""
    seconds: float = 0.0


class UserMessage(EventData):
    """What the human (or the query file) said; opens a round."""

    type: ClassVar[str] = "user_message"
    durable: ClassVar[bool] = True
    round: int
    text: str
    sent: str | None = None
    """The text as sent to the model, where it differs from `text` (see `neutralised`)."""
    neutralised: list[Neutralised] = []


class HarnessMessage(EventData):
    """A reminder or an error note of ours that the model reads; never posed as a user's."""

    type: ClassVar[str] = "harness_message"
    durable: ClassVar[bool] = True
    reason: str
    text: str


class ModelRequest(EventData):
    """One attempt of one model call: everything that was sent."""

    type: ClassVar[str] = "model_request"
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked: one of several equal ones, where there are several."""
    messages: MessageSpan
    messages_sha256: str
    """Rolling hash of the messages as sent: h(n) = sha256(h(n-1) + message n), h(0) empty."""
    params: dict[str, Any]
    """Every other field of the request's body but `messages` and `tools`."""
    with_tools: bool = True


class ModelDelta(EventData):
    """Streamed text, coalesced over about a second. Lost deltas lose nothing but timing."""

    type: ClassVar[str] = "model_delta"
    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    index: int = 0
    """Which tool call, for the `call_…` kinds."""
    text: str
    pieces: list[tuple[int, int]] = []
    """When it came, to about 100 ms: (milliseconds after `mono`, characters) of each piece of
    `text`; empty: all at once."""


class ModelResponse(EventData):
    """A model call that came back whole (it may still have been cut off by a limit).

    What follows at once (a call, a note to the model, the round's end) is synced, and it with that.
    """

    type: ClassVar[str] = "model_response"
    step: int
    attempt: int
    response_id: str | None = None
    reasoning: str | None = None
    content: str | None = None
    calls: list[CallRequest] = []
    finish_reason: str
    stop_reason: int | str | None = None
    complete: bool
    """The turn ended on a stop token, so its calls may be run."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    continuity: Continuity | None = None
    """None when the server gave no ids."""
    generated_ids: list[int] | None = None
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[str] = []
    """Doubts about this response, each by name (`recordings.flags`)."""
    neutralised: list[Neutralised] = []
    """Control tokens that the model wrote as text."""
    sent: SentTurn | None = None
    """What goes back to the model, where it differs from what it wrote (see `neutralised`)."""


class RawGeneration(EventData):
    """What a response's ids say where it is not what was shown: the server's parser lost or moved
    something, or a call was not ended. It follows the response, after the calls at the latest.
    """

    type: ClassVar[str] = "raw_generation"
    step: int
    attempt: int
    flags: list[str]
    """What differs, each by name (`recordings.flags`)."""
    text: str
    """As the server spells the ids, control tokens included, without the stop token."""


class ModelError(EventData):
    """An attempt that failed. What had arrived is kept here and never enters the history."""

    type: ClassVar[str] = "model_error"
    durable: ClassVar[bool] = True
    step: int
    attempt: int
    kind: str
    message: str
    status: int | None = None
    retry_in: float | None = None
    """Seconds until the next attempt; none: given up."""
    reasoning: str | None = None
    content: str | None = None
    generated_ids: list[int] | None = None


class Approval(Part):
    """Who let a call run."""

    by: Literal["human", "mode", "nobody"]
    mode: str
    allowed: bool = True
    words: str | None = None


class ToolCall(EventData):
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
    approval: Approval


class ToolOutput(EventData):
    """Live output of a running call, coalesced over about a second; for replays, not for truth."""

    type: ClassVar[str] = "tool_output"
    call_id: str
    text: str
    pieces: list[tuple[int, int]] = []
    """As in `model_delta`."""


class Observation(EventData):
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
    """Kind of the error, none when the call worked."""
    exit_code: int | None = None
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


class FileChange(Part):
    """What became of one path of the workspace."""

    path: str
    """From the workspace; bytes that are not UTF-8 and what cannot be printed as escapes."""
    kind: Literal["added", "modified", "deleted", "mode", "type"]
    """`type`: another type of entry (file, directory, symlink, special) stands there now."""
    added: int | None = None
    """Lines; none where none are counted: no text, too large, or not kept."""
    removed: int | None = None
    binary: bool = False
    not_kept: str | None = None
    """Why its content is in no snapshot: `too large`, `unreadable`, …"""


class Snapshot(EventData):
    """The workspace as it was at one moment, kept in the store of snapshots under its tree's hash.

    Written only when something changed since the one before, and at the start. A step without one
    left the workspace as the last one says. It may come after the next step's model call has
    begun, but always before its tool calls.
    """

    type: ClassVar[str] = "snapshot"
    step: int
    """The last step whose calls had ended; 0: none."""
    cause: Literal["start", "step", "round", "resume", "undo", "restore", "fork"]
    """When it was made. What one of `round` or `resume` tells was changed by others, between
    rounds or runs; `undo` and `restore` brought an earlier tree back; `fork` wrote the tree of
    the shared past into a directory of the fork's own."""
    tree: str
    """sha256 of the root's tree: two workspaces with the same are the same."""
    changes: list[FileChange] = []
    """Since the snapshot before; what a directory holds is named, changed directories are not."""
    unnamed: int = 0
    """Changes beyond those that are named."""
    not_kept: list[str] = []
    """`path: why` of what is in the tree without its content, as far as not told before."""
    excluded: list[str] = []
    """Globs of what is in no snapshot, told at the start."""
    seconds: float


class SnapshotFailed(EventData):
    """No snapshot could be made; the session goes on. Told once, until one can be made again."""

    type: ClassVar[str] = "snapshot_failed"
    step: int
    reason: str


class SummaryRequest(EventData):
    """The model is asked to sum the session up, because its context is full.

    Neither the question nor the answer becomes part of the history; what is made of the answer is
    a `compaction`.
    """

    type: ClassVar[str] = "summary_request"
    step: int
    attempt: int
    request_id: str
    base_url: str | None = None
    """The server that was asked."""
    messages: MessageSpan
    """What it was to sum up, in the terms of a `model_request`; the instruction follows them."""
    instruction: str
    """The last message, of the role `system`."""
    messages_sha256: str
    """As in a `model_request`, the instruction included."""
    params: dict[str, Any]
    with_tools: bool = True


class SummaryResponse(EventData):
    """What the model answered to a `summary_request`. Stands for a message of the role `system`
    where a `compaction` names it."""

    type: ClassVar[str] = "summary_response"
    durable: ClassVar[bool] = True
    step: int
    attempt: int
    response_id: str | None = None
    reasoning: str | None = None
    content: str | None = None
    finish_reason: str
    stop_reason: int | str | None = None
    complete: bool
    summary: str = ""
    """The message that is made of it; empty: it cannot be used."""
    usage: Usage | None = None
    prompt_ids: IdSpan | None = None
    """On the session's previous response; the next one stands on that too, not on this."""
    generated_ids: list[int] | None = None
    timing: StreamTiming = StreamTiming()
    fingerprint: str | None = None
    flags: list[str] = []


class Stub(EventData):
    """A line in the place of an old observation that was left out to make room."""

    type: ClassVar[str] = "stub"
    of: int
    """The observation's event."""
    call_id: str
    text: str


class Compaction(EventData):
    """From here the model reads another history: earlier messages were left out or summed up."""

    type: ClassVar[str] = "compaction"
    durable: ClassVar[bool] = True
    cause: Literal["full", "overflow", "asked"]
    """The context was full by our count, or by the server's; or the human asked for it."""
    kind: Literal["stubs", "summary"]
    """Old observations were replaced by stubs; or everything but the user's words and the last
    steps by a summary."""
    messages: MessageSpan
    """The history from here, on the messages of the last `model_request`."""
    before: int
    """Tokens of the history."""
    after: int
    exact: bool = True
    """Whether these were counted; else they were estimated."""


class Interrupt(EventData):
    """The human stopped the turn."""

    type: ClassVar[str] = "interrupt"
    durable: ClassVar[bool] = True
    round: int
    during: Literal["model", "tool"]


class Check(EventData):
    """The query's own check was run at the end of a round; the model has not seen this."""

    type: ClassVar[str] = "check"
    durable: ClassVar[bool] = True
    round: int
    command: str
    exit_code: int | None = None
    """None: it was stopped, or never began."""
    passed: bool
    output: str = ""
    """The end of what it printed."""
    seconds: float


class SimulatedUser(EventData):
    """A second model played the user; its words follow as a user message of origin `query`."""

    type: ClassVar[str] = "simulated_user"
    durable: ClassVar[bool] = True
    round: int
    model: str
    messages: list[dict[str, Any]]
    """What that model was sent."""
    reply: str
    usage: Usage | None = None


class QueryOutcome(EventData):
    """What became of a batch's session; a session without one was stopped half-way."""

    type: ClassVar[str] = "query_outcome"
    durable: ClassVar[bool] = True
    status: QueryStatus
    reason: str = ""
    feedback_rounds: int = 0
    """Rounds that were opened because the check had failed."""


class RoundEnd(EventData):
    """The model's turn is over: an answer, a limit, an interrupt or a failure."""

    type: ClassVar[str] = "round_end"
    durable: ClassVar[bool] = True
    round: int
    status: RoundStatus
    steps: int
    reason: str = ""


class Edit(EventData):
    """In a fork: the next event, of origin `annotator`, stands in place of one of the parent's.

    The parent's event itself is not in the fork, so both can be compared: the two are a pair.
    """

    type: ClassVar[str] = "edit"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    replaced: int
    """The parent's event."""
    sha256: str
    """Of its line."""
    parts: list[Literal["message", "reasoning", "content", "calls"]]
    """What is another now."""
    why: str = ""


class Redaction(EventData):
    """Secrets were taken out of earlier events, and the lines chained anew.

    What stands there now is `‹redacted:NAME›`; token ids that spelled it are -1.
    """

    type: ClassVar[str] = "redaction"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    names: list[str]
    """What the secrets are called."""
    seqs: list[int]
    """The events that were changed."""
    old_sha256: str
    """The recording's hash before."""


class SessionEnd(EventData):
    """The last event of a session that was closed in order. Missing after a kill."""

    type: ClassVar[str] = "session_end"
    durable: ClassVar[bool] = True
    status: SessionStatus
    reason: str = ""
    rounds: int
    steps: int
    usage: Usage = Usage()
    breaks: dict[str, int] = {}
    """How often prompts did not extend what stood before, by cause (`Continuity`)."""


AnyEventData = Annotated[
    SessionStart
    | SessionResume
    | ServerCheck
    | SandboxStart
    | SandboxEnd
    | NetworkRequest
    | UserMessage
    | HarnessMessage
    | ModelRequest
    | ModelDelta
    | ModelResponse
    | RawGeneration
    | ModelError
    | ToolCall
    | ToolOutput
    | Observation
    | Snapshot
    | SnapshotFailed
    | SummaryRequest
    | SummaryResponse
    | Stub
    | Compaction
    | Interrupt
    | Check
    | SimulatedUser
    | QueryOutcome
    | RoundEnd
    | Edit
    | Redaction
    | SessionEnd,
    Field(),
]

EVENT_TYPES: dict[str, type[EventData]] = {cls.type: cls for cls in EventData.__subclasses__()}


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a forked session came from: the parent's event and the hash of its line."""

    session: str
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Event:
    """The envelope."""

    session: str
    seq: int
    """0, 1, 2, … without a gap."""
    wall: float
    """Seconds since the epoch."""
    mono: float
    """Seconds of a clock that never jumps; comparable within one run of a session only."""
    origin: Origin
    data: EventData
    prev: str = ""
    """sha256 of the line before this one, hex; empty on the first line."""
    parent: Parent | None = None
    version: int = SCHEMA_VERSION

    @property
    def type(self) -> str:
        """Name of the event on disk."""
        return self.data.type


@dataclass(frozen=True, slots=True)
class LiveDelta:
    """A piece of streamed text on its way to a screen; recorded coalesced, as `ModelDelta`."""

    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """A piece of a running call's output on its way to a screen; recorded as `ToolOutput`."""

    call_id: str
    text: str
