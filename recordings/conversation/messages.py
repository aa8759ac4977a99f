"""The chat message of each event: what the model is sent for it.

The agent builds its requests with it and readers rebuild them with it, so the two are the same.
"""

from __future__ import annotations

import hashlib
from typing import Any, assert_never

import orjson

from recordings.events import (
    AttachedFile,
    Check,
    Compaction,
    Consent,
    Edit,
    EventData,
    HarnessMessage,
    HumanCommand,
    Interrupt,
    ModelChange,
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    NetworkRequest,
    Observation,
    Parked,
    PendingMessage,
    PendingReturned,
    PermissionAnswer,
    PermissionRequest,
    PortOpened,
    PreviewOpened,
    QueryOutcome,
    RawGeneration,
    Redaction,
    Rewind,
    RoundEnd,
    SandboxEnd,
    SandboxStart,
    SentBack,
    ServerCheck,
    SessionEnd,
    SessionResume,
    SessionStart,
    SimulatedUser,
    Snapshot,
    SnapshotFailed,
    Stub,
    SummaryEdit,
    SummaryRequest,
    SummaryResponse,
    ToolCall,
    ToolOutput,
    UserMessage,
)
from recordings.storage.encoding import encode


def message_of(data: EventData) -> dict[str, Any] | None:
    """Return the chat message that an event adds to the history, or `None`.

    A response is sent back as the model wrote it, with its control tokens neutralised: they would
    be messages and calls that never happened. One that was cut off is sent back without its calls,
    which were not run. Arguments are sent back as the string that the model wrote; a string that
    is not a JSON object as `{}`, because vLLM does so silently and other servers refuse it.
    """
    match data:
        case ModelRequest() | ModelDelta() | ToolCall() | ToolOutput():
            return None  # first, because they are the most
        case Stub():
            return {"role": "tool", "tool_call_id": data.call_id, "content": data.text}
        case SummaryResponse(summary=summary):
            return {"role": "system", "content": summary} if summary else None
        case SummaryEdit(text=text):
            return {"role": "system", "content": text}
        case SessionStart():
            return {"role": "system", "content": data.system_prompt}
        case UserMessage():
            return {"role": "user", "content": data.text if data.sent is None else data.sent}
        case HarnessMessage() | AttachedFile():
            return {"role": "system", "content": data.text}
        case Observation():
            return {"role": "tool", "tool_call_id": data.call_id, "content": data.text}
        case ModelResponse():
            return _assistant_message(data)
        case SessionResume() | ServerCheck() | SandboxStart() | SandboxEnd() | NetworkRequest():
            return None
        case RawGeneration() | ModelError() | SummaryRequest() | PortOpened() | PreviewOpened():
            return None
        case Consent() | PermissionRequest() | PermissionAnswer():
            return None  # the model reads a refusal in the call's observation
        case Snapshot() | SnapshotFailed() | Compaction():
            return None
        case Interrupt() | Check() | SimulatedUser() | Parked() | QueryOutcome() | RoundEnd():
            return None
        case PendingMessage() | PendingReturned() | HumanCommand() | ModelChange():
            return None
        case Edit() | Rewind() | SentBack() | Redaction() | SessionEnd():
            return None
        case _:
            assert_never(data)


def instruction_message(data: SummaryRequest) -> dict[str, Any]:
    """Return the last message of a request for a summary; it is not part of the history."""
    return {"role": "system", "content": data.instruction}


def encode_message(message: dict[str, Any]) -> bytes:
    """Encode a message as it is sent: the same bytes from memory and from disk."""
    # A copy: the encoder returns its whole buffer, eight times what the text needs.
    return bytes(memoryview(encode(message)))


def chain_message(previous: str, encoded: bytes) -> str:
    """Return the rolling hash of a message list with one more message (`ModelRequest`)."""
    return hashlib.sha256(previous.encode() + encoded).hexdigest()


def _assistant_message(data: ModelResponse) -> dict[str, Any]:
    said = data.sent or data
    message: dict[str, Any] = {"role": "assistant", "content": said.content or ""}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.calls and data.complete:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": _object_or_empty(call.arguments)},
            }
            for call in said.calls
        ]
    return message


def _object_or_empty(arguments: str) -> str:
    try:
        return arguments if isinstance(orjson.loads(arguments), dict) else "{}"
    except orjson.JSONDecodeError:
        return "{}"
