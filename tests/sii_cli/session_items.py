"""Items of a session, written by hand, for tests of what draws them."""

from __future__ import annotations

import json
from typing import Any

from recordings.events import (
    CallRequest,
    Event,
    EventData,
    LiveDelta,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Observation,
    Permission,
    RoundEnd,
    SessionStart,
    ToolCall,
    Usage,
    UserMessage,
)


def event(data: EventData) -> Event:
    return Event(session="s", seq=0, wall=0.0, mono=0.0, origin="harness", data=data)


def start() -> Event:
    return event(
        SessionStart(
            sii_version="1.2.3",
            mode="interactive",
            workspace="/home/me/project",
            model="glm",
            base_url="http://127.0.0.1:8000/v1",
            context_length=1000,
            system_prompt="",
            tools=[],
            tools_sha256="",
        )
    )


def user(text: str) -> Event:
    return event(UserMessage(round=1, text=text))


def request(step: int = 1) -> Event:
    span = MessageSpan(keep=0, new=[])
    return event(
        ModelRequest(
            step=step, attempt=1, request_id="r", messages=span, messages_sha256="", params={}
        )
    )


def delta(kind: Any, text: str) -> LiveDelta:
    return LiveDelta(1, kind, text)


def response(
    content: str = "", reasoning: str = "", *, complete: bool = True, calls: int = 0
) -> Event:
    return event(
        ModelResponse(
            step=1,
            attempt=1,
            content=content,
            reasoning=reasoning,
            calls=[
                CallRequest(index=i, call_id=str(i), name="t", arguments="") for i in range(calls)
            ],
            finish_reason="stop" if complete else "length",
            complete=complete,
            usage=Usage(prompt_tokens=90, completion_tokens=10),
        )
    )


def call(name: str, arguments: dict[str, Any] | str, call_id: str = "c1") -> Event:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return event(
        ToolCall(
            step=1,
            call_id=call_id,
            index=0,
            name=name,
            arguments=raw,
            parsed=None if isinstance(arguments, str) else arguments,
            approval=Permission(by="mode", mode="auto"),
        )
    )


def observation(name: str, text: str, call_id: str = "c1", **more: Any) -> Event:
    facts = {"seconds": 0.1, **more}
    return event(Observation(step=1, call_id=call_id, name=name, text=text, **facts))


def end(status: Any = "answered", reason: str = "") -> Event:
    return event(RoundEnd(round=1, status=status, steps=1, reason=reason))
