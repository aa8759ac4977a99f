"""Writing an imported conversation as the events that a session would have recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from recordings.conversation.messages import chain_message, encode_message, message_of
from recordings.events import (
    CallRequest,
    EventData,
    Flag,
    HarnessMessage,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Neutralised,
    Observation,
    Origin,
    Permission,
    RoundEnd,
    SentTurn,
    SessionEnd,
    SessionStart,
    ToolCall,
    UserMessage,
)
from recordings.importing.conversations import ImportedConversation
from recordings.recorder import Recorder
from recordings.samples.arguments import parse_arguments
from recordings.storage.encoding import encode

_APPROVAL = Permission(by="nobody", mode="imported")


@dataclass(frozen=True, slots=True)
class Neutraliser:
    """Neutralises control tokens in texts, so that a text cannot pose as a message."""

    text: Callable[[str], tuple[str, list[tuple[str, int]]]]
    """Returns the text to send, and each token that was found with its count."""
    turn: Callable[
        [str | None, str | None, Sequence[CallRequest]], tuple[SentTurn | None, list[Neutralised]]
    ]
    """Returns how a response is sent back, if that differs, and what was found."""


def record_conversation(
    recorder: Recorder,
    conversation: ImportedConversation,
    neutraliser: Neutraliser,
    *,
    made_by: str,
    batch: str | None = None,
    license_name: str | None = None,
    tags: tuple[str, ...] = (),
) -> None:
    """Record a conversation and close the recorder. Raises `RecordingFailed`."""
    messages = list(conversation.messages)
    prompt = ""
    if messages and messages[0]["role"] == "system":
        prompt = neutraliser.text(messages.pop(0)["content"])[0]
    start = SessionStart(
        sii_version=made_by,
        mode="imported",
        workspace="",
        model=conversation.model,
        base_url="",
        system_prompt=prompt,
        tools=conversation.tools,
        tools_sha256=hashlib.sha256(encode(conversation.tools)).hexdigest(),
        batch=batch,
        source=conversation.source,
        license=license_name,
        tags=list(tags),
    )
    try:
        writer = _Writer(recorder, neutraliser)
        writer.begin(start)
        for message in messages:
            writer.add(message)
        writer.end()
    finally:
        recorder.close()


class _Writer:
    def __init__(self, recorder: Recorder, neutraliser: Neutraliser) -> None:
        self._recorder = recorder
        self._neutraliser = neutraliser
        self._unsent: list[int] = []
        self._sent = self._rounds = self._steps = self._round_steps = 0
        self._sha256 = ""
        self._waiting: list[CallRequest] = []
        """Calls of the last step without an observation."""

    def begin(self, start: SessionStart) -> None:
        """Record the first event; without a system prompt there is no system message."""
        if start.system_prompt:
            self.note(start, "harness")
        else:
            self._recorder.record(start, "harness")

    def note(self, data: EventData, origin: Origin) -> None:
        event = self._recorder.record(data, origin)
        message = message_of(event.data)
        if message is not None:
            self._unsent.append(event.seq)
            self._sha256 = chain_message(self._sha256, encode_message(message))

    def add(self, message: dict[str, Any]) -> None:
        match message["role"]:
            case "user":
                self._end_round()
                self._rounds += 1
                self.note(self._said(message["content"]), "human")
            case "system":
                text, _ = self._text(message["content"])
                self.note(HarnessMessage(reason="imported", text=text), "harness")
            case "assistant":
                self._step(message)
            case _:
                self._observe(message)

    def _said(self, text: str) -> UserMessage:
        sent, found = self._text(text)
        return UserMessage(
            round=self._rounds, text=text, sent=sent if found else None, neutralised=found
        )

    def _text(self, text: str) -> tuple[str, list[Neutralised]]:
        sent, found = self._neutraliser.text(text)
        return sent, [Neutralised(token=token, count=count) for token, count in found]

    def end(self) -> None:
        self._end_round()
        end = SessionEnd(status="done", rounds=self._rounds, steps=self._steps)
        self.note(end, "harness")

    def _end_round(self) -> None:
        if self._rounds:
            end = RoundEnd(round=self._rounds, status="answered", steps=self._round_steps)
            self.note(end, "harness")
        self._round_steps = 0
        self._waiting = []

    def _step(self, message: dict[str, Any]) -> None:
        self._steps += 1
        self._round_steps += 1
        self._request()
        calls = [
            CallRequest(
                index=index,
                call_id=call_id or f"call-{self._steps}-{index}",
                name=name,
                arguments=arguments,
            )
            for index, (call_id, name, arguments) in enumerate(message["calls"])
        ]
        sent, found = self._neutraliser.turn(message["reasoning"], message["content"], calls)
        flags: list[Flag] = ["ids_missing"]
        if found:
            flags.append("control_tokens_written")
        response = ModelResponse(
            step=self._steps,
            attempt=1,
            reasoning=message["reasoning"],
            content=message["content"],
            calls=calls,
            finish_reason="tool_calls" if calls else "stop",
            complete=True,
            flags=flags,
            neutralised=found,
            sent=sent,
        )
        self.note(response, "model")
        for call in calls:
            self.note(self._called(call), "model")
        self._waiting = calls

    def _request(self) -> None:
        request = ModelRequest(
            step=self._steps,
            attempt=1,
            request_id=f"imported-{self._steps}",
            messages=MessageSpan(keep=self._sent, new=self._unsent),
            messages_sha256=self._sha256,
            params={},
        )
        self._sent += len(self._unsent)
        self._unsent = []
        self.note(request, "harness")

    def _called(self, call: CallRequest) -> ToolCall:
        return ToolCall(
            step=self._steps,
            call_id=call.call_id,
            index=call.index,
            name=call.name,
            arguments=call.arguments,
            parsed=parse_arguments(call.arguments),
            approval=_APPROVAL,
        )

    def _observe(self, message: dict[str, Any]) -> None:
        """Record an observation for the call that it names, or for the first one without."""
        named = [call for call in self._waiting if call.call_id == message["tool_call_id"]]
        call = next(iter(named or self._waiting), None)
        if call is not None:
            self._waiting = [other for other in self._waiting if other is not call]
        text, found = self._text(message["content"])
        full = self._recorder.put_blob(message["content"].encode()) if found else None
        observation = Observation(
            step=self._steps,
            call_id=call.call_id if call else str(message["tool_call_id"] or ""),
            name=call.name if call else "unknown",
            text=text,
            neutralised=found,
            full=full,
            seconds=0.0,
        )
        self.note(observation, "tool")
