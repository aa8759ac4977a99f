"""Sessions of steps with one call each, whose texts a test chooses."""

from __future__ import annotations

import json
from pathlib import Path

from recordings.events import (
    CallRequest,
    FileChange,
    MessageSpan,
    ModelRequest,
    ModelResponse,
    Observation,
    Permission,
    Snapshot,
    ToolCall,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.trust.home_key import HomeKey
from tests.recordings.recording_sessions import session_start


class SteppedSession:
    """Records steps of one call each, with what a test wants in them."""

    def __init__(self, folder: Path, key: HomeKey | None = None, **start: object) -> None:
        self.recorder = Recorder.create(folder, folder.name, key=key)
        self.recorder.record(session_start(**start), "harness")
        self.step = 0

    def message(self, text: str, number: int = 1) -> int:
        return self.recorder.record(UserMessage(round=number, text=text), "human").seq

    def request(self) -> None:
        self.step += 1
        request = ModelRequest(
            step=self.step,
            attempt=1,
            request_id="r",
            messages=MessageSpan(keep=0, new=[]),
            messages_sha256="",
            params={},
        )
        self.recorder.record(request, "harness")

    def respond(self, content: str = "", *calls: CallRequest) -> int:
        response = ModelResponse(
            step=self.step,
            attempt=1,
            content=content,
            calls=list(calls),
            finish_reason="stop",
            complete=True,
        )
        return self.recorder.record(response, "model").seq

    def call(self, name: str, arguments: str, **observed: object) -> int:
        """Record a step of one call; return the event of the response."""
        self.request()
        asked = CallRequest(index=0, call_id="c", name=name, arguments=arguments)
        about = self.respond("", asked)
        by = Permission(by="mode", mode="auto")
        call = ToolCall(
            step=self.step,
            call_id="c",
            index=0,
            name=name,
            arguments=arguments,
            parsed=json.loads(arguments),
            approval=by,
        )
        self.recorder.record(call, "model")
        fields = {"step": self.step, "call_id": "c", "name": name, "text": "", "seconds": 0.1}
        self.recorder.record(Observation.model_validate(fields | observed), "tool")
        return about

    def answer(self, content: str) -> int:
        self.request()
        return self.respond(content)

    def snapshot(
        self, step: int, *changes: FileChange, cause: str = "step", tree: str | None = None
    ) -> None:
        made = tree or f"{step:064x}"
        fields = {"step": step, "cause": cause, "tree": made, "seconds": 0.0}
        snapshot = Snapshot.model_validate(fields | {"changes": list(changes)})
        self.recorder.record(snapshot, "harness")
