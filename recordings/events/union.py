"""Every event there is, in the order of the reference."""

from __future__ import annotations

from recordings.events.batch import Check, QueryOutcome, SimulatedUser
from recordings.events.context import Compaction, Stub, SummaryRequest, SummaryResponse
from recordings.events.model import (
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    RawGeneration,
)
from recordings.events.parts import EventData
from recordings.events.revision import Edit, Redaction
from recordings.events.sandbox import NetworkRequest, SandboxEnd, SandboxStart
from recordings.events.session import (
    HarnessMessage,
    Interrupt,
    RoundEnd,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    UserMessage,
)
from recordings.events.tools import Observation, ToolCall, ToolOutput
from recordings.events.workspace import Snapshot, SnapshotFailed

_EVENTS: tuple[type[EventData], ...] = (
    SessionStart,
    SessionResume,
    ServerCheck,
    SandboxStart,
    SandboxEnd,
    NetworkRequest,
    UserMessage,
    HarnessMessage,
    ModelRequest,
    ModelDelta,
    ModelResponse,
    RawGeneration,
    ModelError,
    ToolCall,
    ToolOutput,
    Observation,
    Snapshot,
    SnapshotFailed,
    SummaryRequest,
    SummaryResponse,
    Stub,
    Compaction,
    Interrupt,
    Check,
    SimulatedUser,
    QueryOutcome,
    RoundEnd,
    Edit,
    Redaction,
    SessionEnd,
)

EVENT_TYPES = {cls.type: cls for cls in _EVENTS}
"""By their names on disk."""
