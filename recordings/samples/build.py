"""Reads a recording and yields its samples: one for every prefix-consistent stretch of calls.

Reads as it goes: what is held is one recording's messages and the ids of one stretch.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from recordings.conversation import message_of
from recordings.errors import RecordingDamaged
from recordings.events import (
    Event,
    HarnessMessage,
    ModelRequest,
    ModelResponse,
    Observation,
    SessionResume,
    SessionStart,
    UserMessage,
)
from recordings.lines import check_line, decode_event, parse_line
from recordings.log import Line, read_lines
from recordings.samples.arguments import parse_arguments
from recordings.samples.policy import DEFAULT_POLICY, SamplePolicy, Step
from recordings.samples.sample import LeftOut, Sample, StepKey, Turn
from recordings.samples.stretch import Stretch

_TYPE = re.compile(rb'"type":"([a-z_]+)"')
_HEAD = 200
"""Bytes of a line in which its type stands."""
_TIMING = frozenset({b"model_delta", b"tool_output"})
"""Events that say nothing to a model; they are most of a recording's lines."""
_NO_STEPS: frozenset[StepKey] = frozenset()


def samples_of(
    folder: Path,
    policy: SamplePolicy = DEFAULT_POLICY,
    *,
    excluded: Container[int] = frozenset(),
    claimed: Container[StepKey] = _NO_STEPS,
) -> Iterator[Sample | LeftOut]:
    """Yield a recording's samples in order, and before each what is left out of it.

    `excluded`: the events that reviewers excluded (`recordings.reviews.excluded`), each standing
    for its step, a user's message for its round. `claimed`: steps that other recordings of the
    family train on; asked when a stretch ends, so it may grow between samples.
    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    builder = _Builder(folder.name, policy, excluded, claimed)
    for line in read_lines(folder):
        yield from builder.line(line)
    yield from builder.close()


class _Builder:
    def __init__(
        self,
        recording: str,
        policy: SamplePolicy,
        excluded: Container[int],
        claimed: Container[StepKey],
    ) -> None:
        self._recording = recording
        self._policy = policy
        self._excluded = excluded
        self._claimed = claimed
        self._turns: dict[int, Turn] = {}
        """Messages by event."""
        self._sent: list[int] = []
        """The events whose messages the last request sent."""
        self._request: ModelRequest | None = None
        self._start: SessionStart | None = None
        self._model = ""
        self._trail: list[int] = []
        """The ids of the last call that has any: the stretch's own while it is exact."""
        self._stretch: Stretch | None = None
        self._number = 0
        self._is_broken = False
        """Messages were replaced or the model changed since the last response."""
        self._round_excluded = False
        self._human_text = False
        self._excluded_steps: set[int] = set()

    def line(self, line: Line) -> Iterator[Sample | LeftOut]:
        seq = line.number - 1
        if check_line(line.text) is None:
            raise RecordingDamaged(
                f"Line {line.number} of the recording {self._recording} was changed after it was "
                "written: `sii verify` says more."
            )
        kind = _TYPE.search(line.text[:_HEAD])
        if kind is not None and kind[1] in _TIMING:
            return
        try:
            parsed = parse_line(line.text)
            ids = _take_ids(parsed)
            event = decode_event(parsed)
        except RecordingDamaged as error:
            raise RecordingDamaged(
                f"Line {line.number} of the recording {self._recording} is damaged: {error}."
            ) from None
        if event.seq != seq:
            raise RecordingDamaged(
                f"Line {line.number} of the recording {self._recording} is event {event.seq}."
            )
        self._note(event)
        if isinstance(event.data, ModelResponse):
            yield from self._response(event, event.data, *ids)

    def close(self) -> Iterator[Sample | LeftOut]:
        """Yield the sample of the stretch that stands."""
        stretch, self._stretch = self._stretch, None
        if stretch is None:
            return
        for step in stretch.steps:
            step.is_excluded |= step.number in self._excluded_steps
        self._number += 1
        yield from stretch.close(self._number, self._policy, self._claimed)

    def _note(self, event: Event) -> None:
        """Take account of what an event says, but for a response's ids."""
        data = event.data
        is_response = isinstance(data, ModelResponse)
        message = message_of(data)
        if message is not None:
            key = (event.session, event.seq) if is_response else None
            self._turns[event.seq] = Turn(event.seq, message, step=key, origin=event.origin)
        if event.seq in self._excluded and isinstance(number := getattr(data, "step", None), int):
            self._excluded_steps.add(number)
        match data:
            case SessionStart():
                self._start, self._model = data, data.model
            case SessionResume():
                self._is_broken |= data.model != self._model
                self._model = data.model
            case UserMessage():
                self._round_excluded = event.seq in self._excluded
            case ModelRequest():
                self._take_request(event, data)
            case Observation(error=str(error)):
                self._of_last_step(data.step, error)
            case HarnessMessage(reason="repetition") if self._stretch and self._stretch.steps:
                self._stretch.steps[-1].is_repeated = True
        if message is not None and event.origin == "annotator" and not is_response:
            self._human_text = True

    def _of_last_step(self, number: int, error: str) -> None:
        if self._stretch and self._stretch.steps and self._stretch.steps[-1].number == number:
            self._stretch.steps[-1].errors.append(error)

    def _take_request(self, event: Event, request: ModelRequest) -> None:
        span = request.messages
        if span.keep > len(self._sent) or any(seq not in self._turns for seq in span.new):
            raise RecordingDamaged(
                f"Event {event.seq} of the recording {self._recording} sends messages that are "
                "not there."
            )
        if span.keep < len(self._sent):
            self._is_broken = True
        self._sent[span.keep :] = span.new
        self._request = request

    def _response(
        self,
        event: Event,
        response: ModelResponse,
        span: dict[str, Any] | None,
        generated: list[int] | None,
    ) -> Iterator[Sample | LeftOut]:
        if span is not None:
            self._check_span(event.seq, span["keep"])
        new = self._extension(span) if span is not None else None
        if self._breaks(span, new):
            yield from self.close()
            self._begin(span)
            new = self._trail[: span["keep"]] + span["new"] if span is not None else None
        self._add(self._step(event, response), new, generated or [])
        self._is_broken = False
        self._human_text |= event.origin == "annotator"

    def _check_span(self, seq: int, keep: int) -> None:
        if keep > len(self._trail):
            raise RecordingDamaged(
                f"Event {seq} of the recording {self._recording} keeps {keep} ids, but only "
                f"{len(self._trail)} stood."
            )

    def _extension(self, span: dict[str, Any]) -> list[int] | None:
        """Return the ids that a prompt adds to the trail; none when it does not go on from it."""
        rest = self._trail[span["keep"] :]
        new: list[int] = span["new"]
        return new[len(rest) :] if new[: len(rest)] == rest else None

    def _breaks(self, span: dict[str, Any] | None, new: list[int] | None) -> bool:
        """Whether a new stretch begins: told by ids, and by messages where there are none."""
        stretch = self._stretch
        if stretch is None or self._is_broken:
            return True
        if span is not None:
            return new is None or not stretch.is_exact
        return any(self._turns[seq].message["role"] == "user" for seq in self._unseen())

    def _begin(self, span: dict[str, Any] | None) -> None:
        request, start = self._request, self._start
        if start is None:
            raise RecordingDamaged(f"The recording {self._recording} has no `session_start`.")
        kwargs = request.params.get("chat_template_kwargs") if request else None
        self._stretch = Stretch(
            recording=self._recording,
            start=start,
            model=self._model,
            tools=start.tools if request is None or request.with_tools else [],
            template_kwargs=kwargs if isinstance(kwargs, dict) else {},
            is_exact=span is not None,
        )

    def _step(self, event: Event, response: ModelResponse) -> Step:
        return Step(
            number=response.step,
            seq=event.seq,
            key=(event.session, event.seq),
            origin=event.origin,
            complete=response.complete,
            is_plain=all(parse_arguments(call.arguments) is not None for call in response.calls),
            stop_reason=response.stop_reason,
            flags=tuple(response.flags),
            is_excluded=event.seq in self._excluded or self._round_excluded,
            follows_human_text=self._human_text,
        )

    def _add(self, step: Step, new: list[int] | None, generated: list[int]) -> None:
        """Append the request's new messages and the response, and its ids where it has any."""
        stretch = self._stretch
        assert stretch is not None
        unseen = self._unseen()
        stretch.turns += [self._turns[seq] for seq in (*unseen, step.seq)]
        stretch.steps.append(step)
        if new is not None:
            stretch.add_ids(step, new, generated, unseen)
            self._trail = stretch.ids

    def _unseen(self) -> list[int]:
        """The events of the last request's messages that the stretch does not hold yet."""
        return self._sent[len(self._stretch.turns) if self._stretch else 0 :]


def _take_ids(parsed: dict[str, Any]) -> tuple[dict[str, Any] | None, list[int] | None]:
    """Take a response's ids out of its line's object: they are many, and need no pydantic.

    Raises `RecordingDamaged` for what is no list of ids.
    """
    if parsed.get("type") != ModelResponse.type:
        return None, None
    data = parsed["data"]
    span, generated = data.pop("prompt_ids", None), data.pop("generated_ids", None)
    lists = [ids for ids in (span and span["new"], generated) if ids is not None]
    if not all(set(map(type, ids)) <= {int} for ids in lists):
        raise RecordingDamaged("its token ids are no numbers")
    return span, generated
