"""Building the samples of a recording: one for each segment of consecutive model calls.

Memory holds the messages of one recording and the ids of one segment.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from recordings.conversation.ids import CallIds, IdTrail
from recordings.conversation.messages import instruction_message, message_of
from recordings.conversation.outages import TOOL_INFRA
from recordings.errors import RecordingDamaged
from recordings.events import (
    DataSetUse,
    Event,
    HarnessMessage,
    IdSpan,
    ModelChange,
    ModelRequest,
    ModelResponse,
    Observation,
    RawGeneration,
    SandboxStart,
    SessionResume,
    SessionStart,
    SummaryRequest,
    SummaryResponse,
    UserMessage,
)
from recordings.evidence.evidence import unsourced_steps
from recordings.samples.arguments import parse_arguments
from recordings.samples.control_tokens import ControlTokens
from recordings.samples.policy import COMPACTION, DEFAULT_POLICY, SamplePolicy, SampleStep, judge
from recordings.samples.reading import SampleEvent, read_sample_events
from recordings.samples.repetition import RepeatedSteps
from recordings.samples.sample import LeftOut, Sample, SampleTurn, StepKey
from recordings.samples.segment import Segment

_NO_STEPS: frozenset[StepKey] = frozenset()


def samples_of(
    folder: Path,
    policy: SamplePolicy = DEFAULT_POLICY,
    *,
    excluded: Container[int] = frozenset(),
    claimed: Container[StepKey] = _NO_STEPS,
) -> Iterator[Sample | LeftOut]:
    """Yield a recording's samples in order, and before each what is left out of it.

    `excluded`: the events that reviewers excluded (`reviews.excluded_events`); one excludes its
    step, a user's message its round. `claimed`: steps that other recordings of the family train on;
    read when a segment ends, so it may grow between samples.
    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    unsourced = unsourced_steps(folder) if policy.unsourced == "mask" else {}
    builder = _Builder(folder.name, policy, excluded, claimed, unsourced)
    for read in read_sample_events(folder):
        yield from builder.feed(read)
    yield from builder.close()


class _Builder:
    def __init__(
        self,
        recording: str,
        policy: SamplePolicy,
        excluded: Container[int],
        claimed: Container[StepKey],
        unsourced: Mapping[int, str],
    ) -> None:
        self._recording = recording
        self._policy = policy
        self._excluded = excluded
        self._claimed = claimed
        self._unsourced = unsourced
        self._turns: dict[int, SampleTurn] = {}
        """Messages by event."""
        self._control = ControlTokens()
        self._spelling: set[int] = set()
        """Events whose messages spell a control token, which was sent as plain text."""
        self._sent: list[int] = []
        """The events whose messages the last request sent."""
        self._request: ModelRequest | None = None
        self._summary_request: SummaryRequest | None = None
        self._start: SessionStart | None = None
        self._model = ""
        self._trail = IdTrail()
        """The ids of the last call that has any."""
        self._segment: Segment | None = None
        self._number = 0
        self._is_broken = False
        """Whether messages were replaced or the model changed since the last response."""
        self._repeated = RepeatedSteps()
        self._round = 0
        self._round_excluded = False
        self._human_text = False
        self._outage = False
        """Whether a call of the round hit an outage."""
        self._excluded_steps: set[int] = set()
        self._data: dict[tuple[str, str], DataSetUse] = {}
        """Data sets by name and hash."""

    def feed(self, read: SampleEvent) -> Iterator[Sample | LeftOut]:
        """Read the next event; yield the sample that ends with it."""
        event = read.event
        self._note(event)
        if isinstance(event.data, ModelResponse):
            yield from self._response(event, event.data, read)
        elif isinstance(event.data, SummaryResponse):
            yield from self._summary(event, event.data, read)

    def close(self) -> Iterator[Sample | LeftOut]:
        """Yield the sample of the last segment."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        for step in segment.steps:
            step.is_excluded |= step.number in self._excluded_steps
        self._number += 1
        yield from segment.close(self._number, self._policy, self._claimed)

    def _note(self, event: Event) -> None:
        """Keep what an event says, without a response's ids."""
        data = event.data
        is_response = isinstance(data, ModelResponse)
        message = message_of(data)
        if message is not None:
            key = (event.session, event.seq) if is_response else None
            turn = SampleTurn(event.seq, message, step=key, origin=event.origin)
            self._turns[event.seq] = turn
            if self._control.are_in(turn):
                self._spelling.add(event.seq)
        if event.seq in self._excluded and isinstance(number := getattr(data, "step", None), int):
            self._excluded_steps.add(number)
        match data:
            case SessionStart():
                self._start, self._model = data, data.model
                self._control.follow(data.wire)
            case SessionResume():
                self._is_broken |= data.model != self._model
                self._model = data.model
                self._control.follow(data.wire)
            case ModelChange():
                self._is_broken, self._model = True, data.model
                self._control.follow(data.wire)
            case SandboxStart(data=list(used)):
                self._data |= {(one.name, one.sha256): one for one in used}
            case UserMessage(round=number):
                self._take_user_message(event, number)
            case ModelRequest():
                self._take_request(event, data)
            case SummaryRequest():
                self._summary_request = data
            case RawGeneration():
                for step in self._last_step(data.step):
                    step.flags += data.flags
            case Observation(error=str(error)):
                self._outage |= error == TOOL_INFRA
                for step in self._last_step(data.step):
                    step.errors.append(error)
            case HarnessMessage(reason="repetition") if self._segment and self._segment.steps:
                self._segment.steps[-1].is_repeated = True
                self._repeated.reported()
        if message is not None and event.origin == "annotator" and not is_response:
            self._human_text = True

    def _take_user_message(self, event: Event, number: int) -> None:
        if number == self._round:  # a steer
            self._round_excluded |= event.seq in self._excluded
            return
        self._round = number
        self._repeated = RepeatedSteps()
        self._round_excluded = event.seq in self._excluded
        self._outage = False

    def _last_step(self, number: int) -> list[SampleStep]:
        """Return the last step if it has this number, in a list."""
        steps = self._segment.steps[-1:] if self._segment else []
        return [step for step in steps if step.number == number]

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
        self, event: Event, response: ModelResponse, read: SampleEvent
    ) -> Iterator[Sample | LeftOut]:
        span = read.ids.prompt
        new = self._extension(event, span)
        continues = response.continuity
        replaces_stop = span is not None and continues is not None and continues.stop_replaced
        if span is not None and replaces_stop and span.keep == len(self._trail) - 1:
            new = span.new
        if self._breaks(span, new):
            yield from self.close()
            self._segment = self._begin(self._request, is_exact=span is not None)
            new, replaces_stop = self._whole(span), False
        step = self._step(event, response)
        # With control tokens neutralised, what is sent back is not what it wrote.
        step.is_plain = response.sent is None and all(
            parse_arguments(call.arguments) is not None for call in response.calls
        )
        step.is_excluded = event.seq in self._excluded or self._round_excluded
        step.is_repeated = self._repeated.continues(response)
        step.follows_human_text = self._human_text
        if replaces_stop and self._segment is not None:
            self._segment.remove_stop()
        self._add(step, new, read.ids)
        self._is_broken = False
        self._human_text |= event.origin == "annotator"

    def _summary(
        self, event: Event, response: SummaryResponse, read: SampleEvent
    ) -> Iterator[Sample | LeftOut]:
        """A summary is a call outside the history: a sample of its own, if it counts."""
        asked, step = self._summary_request, self._step(event, response)
        step.origin, step.is_excluded = "compaction", event.seq in self._excluded
        self._extension(event, read.ids.prompt)
        if not response.summary:  # the harness could not use it
            yield LeftOut(
                self._recording,
                COMPACTION[0],
                "it is no summary",  # words: allow
                step=step.number,
                seq=step.seq,
            )
            return
        if asked is None or judge(step, self._policy) == COMPACTION:
            yield LeftOut(self._recording, *COMPACTION, step=step.number, seq=step.seq)
            return
        segment = self._begin(asked, is_exact=read.ids.prompt is not None)
        sent = [*self._sent[: asked.messages.keep], *asked.messages.new]
        said = {"role": "assistant", "content": response.content or ""}
        if response.reasoning:
            said["reasoning_content"] = response.reasoning
        segment.turns = [
            *(self._turns[seq] for seq in sent),
            SampleTurn(event.seq, instruction_message(asked)),
            SampleTurn(event.seq, said, step=step.key, origin="compaction"),
        ]
        segment.steps.append(step)
        new = self._whole(read.ids.prompt)
        if new is not None:
            segment.add_ids(step, new, read.ids.generated or [], sent)
        self._number += 1
        yield from segment.close(self._number, self._policy, self._claimed)

    def _extension(self, event: Event, span: IdSpan | None) -> list[int] | None:
        """Return the ids that a prompt adds to the last call, or `None` when it does not extend it.

        Raises `RecordingDamaged`.
        """
        if span is None:
            return None
        try:
            return self._trail.extension(span)
        except ValueError as error:
            raise RecordingDamaged(
                f"Event {event.seq} of the recording {self._recording}: {error}."
            ) from None

    def _whole(self, span: IdSpan | None) -> list[int] | None:
        """Return all ids of a prompt."""
        return None if span is None else self._trail.expand(span)

    def _breaks(self, span: IdSpan | None, new: list[int] | None) -> bool:
        """Return whether a new segment begins: by ids, or by messages where there are no ids."""
        segment = self._segment
        if segment is None or self._is_broken:
            return True
        if span is not None:
            return new is None or not segment.is_exact
        return any(self._turns[seq].message["role"] == "user" for seq in self._unseen())

    def _begin(self, request: ModelRequest | SummaryRequest | None, *, is_exact: bool) -> Segment:
        start = self._start
        if start is None:
            raise RecordingDamaged(f"The recording {self._recording} has no `session_start`.")
        kwargs = request.params.get("chat_template_kwargs") if request else None
        return Segment(
            recording=self._recording,
            start=start,
            model=self._model,
            tools=start.tools if request is None or request.with_tools else [],
            template_kwargs=kwargs if isinstance(kwargs, dict) else {},
            is_exact=is_exact,
            data=self._data.values(),
        )

    def _step(self, event: Event, response: ModelResponse | SummaryResponse) -> SampleStep:
        return SampleStep(
            number=response.step,
            seq=event.seq,
            key=(event.session, event.seq),
            origin=event.origin,
            complete=response.complete,
            stop_reason=response.stop_reason,
            flags=list(response.flags),
            follows_outage=self._outage,
            unsourced=self._unsourced.get(response.step, ""),
        )

    def _add(self, step: SampleStep, new: list[int] | None, ids: CallIds) -> None:
        """Append the request's new messages and the response, with its ids where it has any."""
        segment = self._segment
        assert segment is not None
        unseen = self._unseen()
        segment.turns += [self._turns[seq] for seq in (*unseen, step.seq)]
        segment.spells_control |= not self._spelling.isdisjoint((*unseen, step.seq))
        step.is_plain &= not segment.spells_control
        segment.steps.append(step)
        if new is not None and ids.prompt is not None:
            generated = ids.generated or []
            segment.add_ids(step, new, generated, unseen)
            self._trail.follow(ids.prompt, generated)

    def _unseen(self) -> list[int]:
        """Return the events of the last request's messages that the segment does not have yet."""
        return self._sent[len(self._segment.turns) if self._segment else 0 :]
