"""Rebuilding the conversation of a recording at any event, as a resumed session needs it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from recordings.conversation.data_sets import DataSetTrail
from recordings.conversation.ids import IdTrail
from recordings.conversation.messages import encode_message, message_of
from recordings.conversation.pending import PendingTrail
from recordings.conversation.sandbox_state import SandboxTrail
from recordings.conversation.snapshots import SnapshotTrail
from recordings.conversation.unreported import UnreportedTrail
from recordings.errors import RecordingDamaged, RecordingNotFound
from recordings.events import (
    BreakCause,
    CallRequest,
    Compaction,
    Event,
    IdSpan,
    MessageSpan,
    ModelChange,
    ModelError,
    ModelRequest,
    ModelResponse,
    Observation,
    RoundEnd,
    SessionEnd,
    SessionResume,
    SessionStart,
    Stub,
    SummaryEdit,
    SummaryResponse,
    ToolCall,
    Usage,
    UserMessage,
    WireInfo,
)
from recordings.storage.lines import STREAMED
from recordings.storage.log import event_of, head_of, read_checked_lines


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message as it is sent, and the event that it came from."""

    seq: int
    encoded: bytes
    generated: list[int] | None = None
    """Of a response: the ids that the model generated."""
    opening: list[int] | None = None
    """Of a response: the ids at the prompt's end that belong to it (`ModelResponse`)."""
    steers: bool = False
    """Of a user's message: it came within a round."""

    def without_ids(self) -> SentMessage:
        """Return the message as its text alone."""
        return replace(self, generated=None, opening=None)


@dataclass(slots=True)
class Conversation:
    """The state of a session after an event."""

    start: SessionStart
    workspace: str
    """The workspace, which a resumed session may have changed."""
    seq: int = -1
    """The last event."""
    sha256: str = ""
    """Hash of that event's line."""
    messages: list[SentMessage] = field(default_factory=list)
    """All messages that the next request sends, in order."""
    sent: int = 0
    """How many of them the last request sent; the next `MessageSpan` counts from these."""
    compacted: bool = False
    """Whether messages were replaced since the last request."""
    trail: IdTrail = field(default_factory=IdTrail)
    sandbox: SandboxTrail = field(default_factory=SandboxTrail)
    """What its sandbox held, and what of it is lost."""
    snapshots: SnapshotTrail = field(default_factory=SnapshotTrail)
    """The states of its workspace that are kept."""
    pending: PendingTrail = field(default_factory=PendingTrail)
    """The user's messages that wait to be delivered."""
    unreported: UnreportedTrail = field(default_factory=UnreportedTrail)
    """What the human did that the model has not read of yet."""
    data_sets: DataSetTrail = field(default_factory=DataSetTrail)
    """The data sets that the model knows of."""
    rounds: int = 0
    steps: int = 0
    usage: Usage = field(default_factory=Usage)
    round_open: bool = False
    """Whether the last round did not end."""
    round_steps: int = 0
    """Steps of the last round."""
    answered: bool = False
    """Whether the last response is an answer: it has no calls."""
    under_way: Literal["nothing", "model", "tool"] = "nothing"
    unanswered: list[CallRequest] = field(default_factory=list)
    """Calls of the last response without an observation, begun or not."""
    observations: dict[str, int | None] = field(default_factory=dict)
    """Events of the observations of the last response's calls, in the order of the calls."""
    begun: set[str] = field(default_factory=set)
    """Ids of those calls that had begun to run."""
    edited: bool = False
    """Whether an annotator wrote that response."""
    last_complete: bool = True
    """Whether the last response with ids ended on a stop token."""
    last_redacted: bool = False
    """Whether a secret was removed from the ids of the last call, its prompt included."""
    came: set[BreakCause] = field(default_factory=set)
    """What came since the last response and may break the prompt, but for the user's messages."""
    users: list[SentMessage] = field(default_factory=list)
    """The user's messages since the last response, sent or not."""
    model: str = ""
    """The model that was called last."""
    wire: WireInfo | None = None
    """How it was called."""
    thinking: bool | None = None
    """Whether it was to think; `None` left that to the template."""

    def shares_ids(self, model: str, wire: WireInfo | None) -> bool:
        """Return whether a model on this wire reads the ids that were generated last."""
        before = self.wire
        if before is None or wire is None or before.kind != "ids" or wire.kind != "ids":
            return model == self.model
        return (before.form, before.tokenizer_sha256) == (wire.form, wire.tokenizer_sha256)

    def forget_ids(self) -> None:
        """Keep the text of the messages alone: another model does not read their ids."""
        self.messages = [message.without_ids() for message in self.messages]


def restore(folder: Path, at: int | None = None) -> Conversation:
    """Rebuild the conversation after event `at`, by default after the last whole event.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    restorer: _Restorer | None = None
    for line, sha256 in read_checked_lines(folder):
        head = head_of(folder, line)
        if head.type in STREAMED and restorer is not None:
            restorer.pass_over(head.seq, sha256)
        else:
            event = event_of(folder, line)
            restorer = restorer or _Restorer(event)
            restorer.add(event, sha256)
        if restorer.conversation.seq == at:
            break
    if restorer is None:
        raise RecordingDamaged(f"The recording {folder.name} is empty.")
    if at is not None and restorer.conversation.seq != at:
        raise RecordingNotFound(
            f"The recording {folder.name} has no event {at}: its last is "
            f"{restorer.conversation.seq}."
        )
    return restorer.finish()


def sent_message(event: Event, *, steers: bool = False) -> SentMessage | None:
    """Return the message that an event adds to the history, or `None`.

    `steers`: the round of a user's message was open before.
    """
    message = message_of(event.data)
    if message is None:
        return None
    generated = opening = None
    if isinstance(event.data, ModelResponse):
        generated, opening = event.data.generated_ids, event.data.opening_ids
    return SentMessage(event.seq, encode_message(message), generated, opening, steers)


def _thinking(
    chosen: SessionStart | SessionResume | ModelChange, before: bool | None = None
) -> bool | None:
    """Return whether the model is to think; what does not say it leaves it as `before`."""
    if isinstance(chosen, ModelChange):
        return chosen.thinking
    thinking = chosen.settings.get("enable_thinking", before)
    return thinking if isinstance(thinking, bool) else None


class _Restorer:
    def __init__(self, first: Event) -> None:
        if not isinstance(first.data, SessionStart):
            raise RecordingDamaged("The recording does not begin with `session_start`.")
        start = first.data
        self.conversation = Conversation(
            start,
            start.workspace,
            model=start.model,
            wire=start.wire,
            thinking=_thinking(start),
        )
        self._messages: dict[int, SentMessage] = {}
        """Messages by event."""
        self._new: list[SentMessage] = []
        """Messages since the last request, in the order of events."""
        self._calls: dict[str, CallRequest] = {}
        self._observed: dict[str, SentMessage] = {}

    def pass_over(self, seq: int, sha256: str) -> None:
        """Take a line that adds nothing to the conversation."""
        self.conversation.seq, self.conversation.sha256 = seq, sha256

    def add(self, event: Event, sha256: str) -> None:
        self.pass_over(event.seq, sha256)
        state = self.conversation
        step = max(state.steps, getattr(event.data, "step", 0))
        state.round_steps += step - state.steps
        state.steps = step
        if event.parent is not None:  # a call that ran at the fork ran in the parent
            state.begun = set()
        self._take_message(event)
        state.sandbox.feed(event)
        state.snapshots.feed(event)
        state.pending.feed(event)
        state.unreported.feed(event)
        state.data_sets.feed(event)
        match event.data:
            case UserMessage(round=number) if number == state.rounds:
                state.answered = False  # a steer
            case UserMessage(round=number):
                state.rounds, state.round_open = number, True
                state.round_steps, state.answered = 0, False
            case SessionResume() as resume:
                self._take_model(resume)
                if isinstance(workspace := resume.settings.get("workspace"), str):
                    state.workspace = workspace
            case ModelChange() as change:
                self._take_model(change)
            case SessionEnd(status="replied"):
                state.under_way = "nothing"  # a round that is open stays open
            case RoundEnd() | SessionEnd():
                state.round_open, state.under_way = False, "nothing"
            case ModelRequest() as request:
                self._take_request(request)
            case Compaction(messages=span):
                self._set_messages(span)
                state.sent, state.compacted, self._new = span.keep, True, []
                state.came.add("compaction")
            case SummaryResponse(usage=usage) if usage is not None:
                state.usage += usage
            case ModelError(retry_in=None):
                state.under_way = "nothing"
            case ModelResponse() as response:
                self._take_response(response)
                state.edited = event.origin == "annotator"
            case ToolCall(call_id=call_id):
                state.under_way = "tool"
                state.begun.add(call_id)

    def _take_model(self, chosen: SessionResume | ModelChange) -> None:
        state = self.conversation
        shares_ids = state.shares_ids(chosen.model, chosen.wire)
        if not shares_ids:
            self._forget_ids()
        thinking = _thinking(chosen, state.thinking)
        if (state.model, state.thinking) != (chosen.model, thinking) or not shares_ids:
            state.came.add("model")
        state.model, state.wire, state.thinking = chosen.model, chosen.wire, thinking

    def finish(self) -> Conversation:
        """Add the messages since the last request in the order of sending; return the result."""
        state = self.conversation
        state.messages += self._ordered()
        state.last_redacted = state.trail.is_redacted
        state.unanswered = [call for call in self._calls.values() if not self._is_observed(call)]
        state.observations = {
            call_id: self._observed[call_id].seq if call_id in self._observed else None
            for call_id in self._calls
        }
        state.begun &= {call.call_id for call in state.unanswered}
        if state.under_way == "tool" and not state.unanswered:
            state.under_way = "nothing"
        return state

    def _take_message(self, event: Event) -> None:
        data = event.data
        steers = isinstance(data, UserMessage) and data.round == self.conversation.rounds
        kept = sent_message(event, steers=steers)
        if kept is None:
            return
        self._messages[event.seq] = kept
        if isinstance(event.data, Stub | SummaryResponse | SummaryEdit):
            return  # a compaction names its place
        self._new.append(kept)
        if isinstance(data, UserMessage):
            self.conversation.users.append(kept)
        if isinstance(event.data, Observation):
            self._observed[event.data.call_id] = kept

    def _forget_ids(self) -> None:
        self.conversation.forget_ids()
        self._new = [message.without_ids() for message in self._new]
        self._messages = {seq: one.without_ids() for seq, one in self._messages.items()}

    def _take_request(self, request: ModelRequest) -> None:
        state = self.conversation
        self._set_messages(request.messages)
        state.sent = len(state.messages)
        state.compacted = False
        state.under_way = "model"
        self._new, self._calls, self._observed = [], {}, {}

    def _set_messages(self, span: MessageSpan) -> None:
        state = self.conversation
        try:
            new = [self._messages[seq] for seq in span.new]
        except KeyError as error:
            raise RecordingDamaged(
                f"Event {state.seq} names the message of event {error}, which does not exist."
            ) from None
        state.messages[span.keep :] = new

    def _take_response(self, response: ModelResponse) -> None:
        state = self.conversation
        if response.complete:
            self._calls = {call.call_id: call for call in response.calls}
        state.answered = response.complete and not response.calls
        state.begun = set()
        state.under_way = "tool" if self._calls else "nothing"
        if response.prompt_ids is not None:
            self._follow(response.prompt_ids, response.generated_ids or [])
            state.last_complete = response.complete
            state.came, state.users = set(), []
        if response.usage is not None:
            state.usage += response.usage

    def _follow(self, span: IdSpan, generated_ids: list[int]) -> None:
        try:
            self.conversation.trail.follow(span, generated_ids)
        except ValueError as error:
            raise RecordingDamaged(f"Event {self.conversation.seq}: {error}.") from None

    def _is_observed(self, call: CallRequest) -> bool:
        return call.call_id in self._observed

    def _ordered(self) -> list[SentMessage]:
        """Return the new messages, with observations in the order of their calls."""
        observed = iter(
            [self._observed[call_id] for call_id in self._calls if call_id in self._observed]
        )
        of_calls = {message.seq for message in self._observed.values()}
        return [
            next(observed, message) if message.seq in of_calls else message for message in self._new
        ]
