"""The steps of a recording: each request, its response, and what the calls returned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recordings.conversation.ids import CallIds, IdTrail
from recordings.conversation.messages import message_of
from recordings.errors import RecordingDamaged
from recordings.events import (
    Event,
    ModelRequest,
    ModelResponse,
    Observation,
    SessionStart,
    ToolCall,
)
from recordings.samples.reading import read_sample_events


@dataclass(slots=True)
class Step:
    """One model call that returned a response, and the tool calls of that response."""

    number: int
    """From 1, within the session."""
    seq: int
    """The event of the response."""
    request: ModelRequest
    """The request that was answered; its messages are below, in full."""
    messages: list[dict[str, Any]]
    """The messages as they were sent."""
    tools: list[dict[str, Any]]
    """The tool schemas as they were sent; empty for a request without tools."""
    prompt_ids: list[int] | None
    """All token ids of the prompt, as the server read them; `None` where it reported none."""
    response: ModelResponse
    generated_ids: list[int] | None
    """The token ids that the model generated; `None` where the server reported none."""
    calls: list[ToolCall] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    """In the order in which they came."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the request, as it was sent to the server."""
        tools = {"tools": self.tools} if self.tools else {}
        return {"messages": self.messages, **tools, **self.request.params}


def read_steps(folder: Path) -> Iterator[Step]:
    """Yield the steps of a recording in order, each line checked.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    reader = _StepReader(folder.name)
    for event, ids in read_sample_events(folder):
        yield from reader.feed(event, ids)
    yield from reader.close()


class _StepReader:
    def __init__(self, recording: str) -> None:
        self._recording = recording
        self._tools: list[dict[str, Any]] = []
        self._messages: dict[int, dict[str, Any]] = {}
        """Messages by event."""
        self._sent: list[int] = []
        """The events whose messages the last request sent."""
        self._request: ModelRequest | None = None
        self._trail = IdTrail()
        self._step: Step | None = None

    def feed(self, event: Event, ids: CallIds) -> Iterator[Step]:
        """Read the next event; yield the step that ends with it."""
        message = message_of(event.data)
        if message is not None:
            self._messages[event.seq] = message
        match event.data:
            case SessionStart(tools=tools):
                self._tools = tools
            case ModelRequest() as request:
                yield from self.close()
                self._add_request(event, request)
            case ModelResponse() as response:
                self._add_response(event, response, ids)
            case ToolCall() as call if self._step is not None:
                self._step.calls.append(call)
            case Observation() as observation if self._step is not None:
                self._step.observations.append(observation)

    def close(self) -> Iterator[Step]:
        """Yield the last step, once."""
        step, self._step = self._step, None
        if step is not None:
            yield step

    def _add_request(self, event: Event, request: ModelRequest) -> None:
        span = request.messages
        if span.keep > len(self._sent) or any(seq not in self._messages for seq in span.new):
            raise self._damaged(event, "it sends messages that are not in the recording")
        self._sent[span.keep :] = span.new
        self._request = request

    def _add_response(self, event: Event, response: ModelResponse, ids: CallIds) -> None:
        request = self._request
        if request is None:
            raise self._damaged(event, "it answers no request")
        prompt_ids = None
        if ids.prompt is not None:
            try:
                prompt_ids = self._trail.expand(ids.prompt)
            except ValueError as error:
                raise self._damaged(event, str(error)) from None
            self._trail.advance(prompt_ids, ids.generated or [])
        self._step = Step(
            number=response.step,
            seq=event.seq,
            request=request,
            messages=[self._messages[seq] for seq in self._sent],
            tools=self._tools if request.with_tools else [],
            prompt_ids=prompt_ids,
            response=response.model_copy(
                update={"prompt_ids": ids.prompt, "generated_ids": ids.generated}
            ),
            generated_ids=ids.generated,
        )

    def _damaged(self, event: Event, why: str) -> RecordingDamaged:
        return RecordingDamaged(f"Event {event.seq} of the recording {self._recording}: {why}.")
