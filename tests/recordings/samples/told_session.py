"""Sessions told turn by turn, recorded with the ids that a server would give.

The template is GLM-4.5's in small: it drops the reasoning before the last user message, so a new
round does not extend the one before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import chain_message, encode_message, message_of
from recordings.conversation.restore import restore
from recordings.events import (
    CallRequest,
    Event,
    EventData,
    HarnessMessage,
    HarnessReason,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Observation,
    Origin,
    Permission,
    RoundEnd,
    SessionEnd,
    ToolCall,
    Usage,
    UserMessage,
)
from recordings.recorder import Recorder
from tests.fakes.fake_tokenizer import encode, id_of
from tests.recordings.recording_sessions import session_start

Call = tuple[str, dict[str, Any] | str, str]
"""Name, arguments, what it returned."""
BASH = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Run a shell command.",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}
ROLES = {"system": "<|system|>", "user": "<|user|>", "tool": "<|observation|>"}


def render(messages: list[dict[str, Any]]) -> str:
    """The prompt, up to where the model goes on."""
    last = max((i for i, one in enumerate(messages) if one["role"] == "user"), default=-1)
    parts = ["[gMASK]<sop>"]
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            reasoning = message.get("reasoning_content", "") if index > last else ""
            calls = [call["function"] for call in message.get("tool_calls", [])]
            parts.append("<|assistant|>" + said(reasoning, message["content"], calls))
        else:
            parts.append(ROLES[message["role"]] + message["content"])
    return "".join(parts) + "<|assistant|>"


def said(reasoning: str, content: str, calls: list[dict[str, Any]]) -> str:
    """What the model generates, without the stop token."""
    written = [f"<tool_call>{call['name']}\n{call['arguments']}</tool_call>" for call in calls]
    return f"<think>{reasoning}</think>{content}{''.join(written)}"


class ToldSession:
    """Records a session as it is told."""

    def __init__(self, recorder: Recorder, **start: Any) -> None:
        self.recorder = recorder
        self.trail = IdTrail()
        self.rounds = self.steps = 0
        self.generated: list[list[int]] = []
        """What was generated, call by call."""
        self._messages: list[tuple[int, dict[str, Any]]] = []
        self._sent = 0
        self.note(session_start(tools=[BASH], **start), "harness")

    @classmethod
    def create(cls, folder: Path, **start: Any) -> ToldSession:
        folder.mkdir(parents=True, exist_ok=True)
        return cls(Recorder.create(folder, folder.name), **start)

    @classmethod
    def fork(cls, source: Path, at: int, folder: Path) -> ToldSession:
        """Go on from another session's event."""
        folder.mkdir(parents=True)
        told = cls.__new__(cls)
        told.recorder = Recorder.fork(source, at, folder, folder.name)
        restored = restore(folder)
        told.trail, told.generated = restored.trail, []
        told.rounds, told.steps = restored.rounds, restored.steps
        told._messages = [(one.seq, orjson.loads(one.encoded)) for one in restored.messages]
        told._sent = restored.sent
        return told

    def note(self, data: EventData, origin: Origin) -> Event:
        event = self.recorder.record(data, origin)
        message = message_of(data)
        if message is not None:
            self._messages.append((event.seq, message))
        return event

    def user(self, text: str, origin: Origin = "human") -> Event:
        self.rounds += 1
        return self.note(UserMessage(round=self.rounds, text=text), origin)

    def harness(self, text: str, reason: HarnessReason = "repetition") -> Event:
        return self.note(HarnessMessage(reason=reason, text=text), "harness")

    def request(self, **params: Any) -> list[int]:
        """Record a request; return its prompt ids."""
        self.steps += 1
        sha256 = ""
        for _, message in self._messages:
            sha256 = chain_message(sha256, encode_message(message))
        span = MessageSpan(keep=self._sent, new=[seq for seq, _ in self._messages[self._sent :]])
        self._sent = len(self._messages)
        request = ModelRequest(
            step=self.steps,
            attempt=1,
            request_id=f"sii-{self.steps}",
            messages=span,
            messages_sha256=sha256,
            params={"model": "GLM", **params},
        )
        self.note(request, "harness")
        return encode(render([message for _, message in self._messages]))

    def step(
        self,
        content: str = "",
        *calls: Call,
        reasoning: str = "",
        origin: Origin = "model",
        error: str | None = None,
        ids: bool = True,
        **changes: Any,
    ) -> Event:
        """Record a request, its response and the calls' observations; return the response."""
        prompt = self.request()
        requests = [
            CallRequest(
                index=index,
                call_id=f"call-{self.steps}-{index}",
                name=name,
                arguments=given if isinstance(given, str) else orjson.dumps(given).decode(),
            )
            for index, (name, given, _) in enumerate(calls)
        ]
        stop = id_of("<|observation|>" if calls else "<|user|>")
        text = said(reasoning, content, [call.model_dump() for call in requests])
        fields: dict[str, Any] = {
            "step": self.steps,
            "attempt": 1,
            "reasoning": reasoning or None,
            "content": content,
            "calls": requests,
            "finish_reason": "tool_calls" if calls else "stop",
            "stop_reason": stop,
            "complete": True,
        }
        if ids:
            generated = [*encode(text), stop]
            fields |= {"prompt_ids": self.trail.span(prompt), "generated_ids": generated}
            fields["usage"] = Usage(prompt_tokens=len(prompt), completion_tokens=len(generated))
            self.trail.advance(prompt, generated)
            self.generated.append(generated)
        else:
            fields["flags"] = ["ids_missing"]
        response = self.note(ModelResponse.model_validate(fields | changes), origin)
        for call, (_, _, observed) in zip(requests, calls, strict=True):
            self._run(call, observed, error)
        return response

    def _run(self, call: CallRequest, observed: str, error: str | None) -> None:
        about: dict[str, Any] = {"step": self.steps, "call_id": call.call_id, "name": call.name}
        approval = Permission(by="mode", mode="auto")
        called = ToolCall(
            **about, index=call.index, arguments=call.arguments, parsed=None, approval=approval
        )
        self.note(called, "model")
        self.note(Observation(**about, text=observed, error=error, seconds=0.1), "tool")

    def replace(self, messages: list[int]) -> None:
        """Let only the messages of these events stand: what compaction does."""
        self._messages = [pair for pair in self._messages if pair[0] in messages]
        self._sent = 0

    def end(self) -> None:
        self.note(RoundEnd(round=self.rounds, status="answered", steps=self.steps), "harness")
        self.note(SessionEnd(status="done", rounds=self.rounds, steps=self.steps), "harness")
        self.recorder.close()


def two_rounds(folder: Path, **start: Any) -> ToldSession:
    """A bug fixed in three steps, and a question about it: two samples."""
    told = ToldSession.create(folder, **start)
    told.user("The test fails.")
    told.step("", ("bash", {"command": "pytest"}, "1 failed"), reasoning="Look.")
    told.step(
        "Two at once.",
        ("bash", {"command": "cat a.py"}, "a - b"),
        ("bash", {"command": "cat b.py", "timeout": 30}, "b"),
        reasoning="A minus.",
    )
    told.step("Mended.", reasoning="Done.")
    told.user("What was it?")
    told.step("A minus sign.", reasoning="Short.")
    told.end()
    return told
