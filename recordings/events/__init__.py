"""The events of a session: one envelope, and a closed union of what events say.

`docs/reference/events.md` describes each; `storage/log.py` writes them to disk.
"""

from recordings.events.batch import (
    Check,
    CheckedRequirement,
    QueryOutcome,
    QueryStatus,
    SimulatedUser,
)
from recordings.events.context import Compaction, Stub, SummaryRequest, SummaryResponse
from recordings.events.envelope import Event, LiveDelta, LiveOutput, Parent
from recordings.events.model import (
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    RawGeneration,
    ResponseFields,
)
from recordings.events.names import Flag, HarnessReason, ModelErrorKind
from recordings.events.parts import (
    BlobRef,
    BreakCause,
    CallRequest,
    Continuity,
    EventBase,
    EventPart,
    IdSpan,
    MessageSpan,
    Neutralised,
    Origin,
    SentTurn,
    StreamTiming,
    Truncation,
    Usage,
    WireInfo,
)
from recordings.events.revision import Edit, Redaction
from recordings.events.sandbox import NetworkRequest, SandboxEnd, SandboxStart
from recordings.events.session import (
    CheckFound,
    HarnessMessage,
    Interrupt,
    RoundEnd,
    RoundStatus,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    SessionStatus,
    UserMessage,
)
from recordings.events.tools import Observation, Permission, ToolCall, ToolOutput
from recordings.events.union import EVENT_TYPES, EventData
from recordings.events.workspace import FileChange, Snapshot, SnapshotFailed

__all__ = [
    "EVENT_TYPES",
    "BlobRef",
    "BreakCause",
    "CallRequest",
    "Check",
    "CheckFound",
    "CheckedRequirement",
    "Compaction",
    "Continuity",
    "Edit",
    "Event",
    "EventBase",
    "EventData",
    "EventPart",
    "FileChange",
    "Flag",
    "HarnessMessage",
    "HarnessReason",
    "IdSpan",
    "Interrupt",
    "LiveDelta",
    "LiveOutput",
    "MessageSpan",
    "ModelDelta",
    "ModelError",
    "ModelErrorKind",
    "ModelRequest",
    "ModelResponse",
    "NetworkRequest",
    "Neutralised",
    "Observation",
    "Origin",
    "Parent",
    "Permission",
    "QueryOutcome",
    "QueryStatus",
    "RawGeneration",
    "Redaction",
    "ResponseFields",
    "RoundEnd",
    "RoundStatus",
    "SandboxEnd",
    "SandboxStart",
    "SentTurn",
    "ServerCheck",
    "SessionEnd",
    "SessionResume",
    "SessionStart",
    "SessionStatus",
    "SimulatedUser",
    "Snapshot",
    "SnapshotFailed",
    "StreamTiming",
    "Stub",
    "SummaryRequest",
    "SummaryResponse",
    "ToolCall",
    "ToolOutput",
    "Truncation",
    "Usage",
    "UserMessage",
    "WireInfo",
]
