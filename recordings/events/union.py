"""All events, as one closed union, in the order of the reference."""

from __future__ import annotations

from typing import get_args

from recordings.events.batch import Check, Parked, QueryOutcome, SimulatedUser
from recordings.events.context import Compaction, Stub, SummaryEdit, SummaryRequest, SummaryResponse
from recordings.events.human import AttachedFile, HumanCommand, PreviewOpened
from recordings.events.model import (
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    RawGeneration,
)
from recordings.events.revision import Edit, Redaction
from recordings.events.sandbox import NetworkRequest, PortOpened, SandboxEnd, SandboxStart
from recordings.events.session import (
    Consent,
    HarnessMessage,
    Interrupt,
    ModelChange,
    PendingMessage,
    PendingReturned,
    Rewind,
    RoundEnd,
    SentBack,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    UserMessage,
)
from recordings.events.tools import (
    Observation,
    PermissionAnswer,
    PermissionRequest,
    ToolCall,
    ToolOutput,
)
from recordings.events.workspace import Snapshot, SnapshotFailed

EventData = (
    SessionStart
    | SessionResume
    | ModelChange
    | Consent
    | ServerCheck
    | SandboxStart
    | SandboxEnd
    | NetworkRequest
    | PortOpened
    | UserMessage
    | PendingMessage
    | PendingReturned
    | AttachedFile
    | HumanCommand
    | PreviewOpened
    | HarnessMessage
    | ModelRequest
    | ModelDelta
    | ModelResponse
    | RawGeneration
    | ModelError
    | PermissionRequest
    | PermissionAnswer
    | ToolCall
    | ToolOutput
    | Observation
    | Snapshot
    | SnapshotFailed
    | SummaryRequest
    | SummaryResponse
    | SummaryEdit
    | Stub
    | Compaction
    | Interrupt
    | Check
    | SimulatedUser
    | Parked
    | QueryOutcome
    | RoundEnd
    | Edit
    | Rewind
    | SentBack
    | Redaction
    | SessionEnd
)
"""What one event says: one class for each type of event."""

EVENT_TYPES: dict[str, type[EventData]] = {cls.type: cls for cls in get_args(EventData)}
"""The classes by the names of the types on disk."""
