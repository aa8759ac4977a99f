"""The agent loop: user message → model call → tool calls → observations, until an answer or a stop.

It does no I/O of its own: model, tools and recorder are passed in. Everything it does is an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from recordings.conversation.ids import IdTrail
from recordings.conversation.pending import Pending, PendingTrail
from recordings.conversation.restore import Conversation
from recordings.conversation.sandbox_state import SandboxTrail
from recordings.errors import RecordingError
from recordings.events import (
    CallRequest,
    Event,
    EventData,
    HarnessMessage,
    Interrupt,
    LiveOutput,
    ModelResponse,
    Observation,
    Origin,
    RoundEnd,
    RoundStatus,
    SummaryResponse,
    Usage,
)
from recordings.recorder import Recorder
from sii_cli.agent.context.compaction import UNKNOWN, Compactor, ModelContext
from sii_cli.agent.event_channel import EventChannel, Item
from sii_cli.agent.history import history_of
from sii_cli.agent.inbox import FindMentions, Inbox, no_mentions
from sii_cli.agent.model_call import ModelCaller
from sii_cli.agent.model_client import ModelClient
from sii_cli.agent.permissions import Permit, permit_all
from sii_cli.agent.repetition import Repetition
from sii_cli.agent.round_control import (
    UNOBSERVED,
    ContextOverflow,
    RoundObserver,
    RoundOver,
    RoundSuspended,
)
from sii_cli.agent.sandbox_note import new_sandbox_note
from sii_cli.agent.streamed_work import StreamedWork, Work
from sii_cli.agent.tool_calls import ToolCaller
from sii_cli.agent.unusable_responses import UnusableResponses, unusable_note
from sii_cli.debug_log import logger
from sii_cli.model.types import Model
from tools.toolbox import Toolbox

if TYPE_CHECKING:
    from sii_cli.model.ids.wire import IdsPrompts

_LOG = logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that did not end, of a session that is resumed."""

    steps: int
    """Steps of it so far."""
    calls: Sequence[CallRequest] = ()
    """Calls of its last response that never began: they are run first."""
    answered: bool = False
    """Whether its last response is the answer."""


def superseded_round_end(number: int, steps: int) -> RoundEnd:
    """Return the end of a round that was open when another message came."""
    reason = "another message came while this round was open"
    return RoundEnd(round=number, status="interrupted", steps=steps, reason=reason)


@dataclass(frozen=True, slots=True)
class RoundLimits:
    """When a round is stopped."""

    max_steps: int = 200


class AgentLoop:
    """Runs the rounds of one session, one at a time."""

    def __init__(
        self,
        *,
        model: Model,
        toolbox: Toolbox,
        tools: bytes,
        recorder: Recorder,
        params: dict[str, Any],
        limits: RoundLimits = RoundLimits(),
        permit: Permit = permit_all,
        on_sandbox_lost: Callable[[str], None] = lambda detail: None,
        check_sandbox: Callable[[], None] = lambda: None,
        setup: bool = False,
        observer: RoundObserver = UNOBSERVED,
        context: ModelContext = UNKNOWN,
        restored: Conversation | None = None,
        prompts: IdsPrompts | None = None,
        other_model: bool = False,
        speaker: str | None = None,
        mentions: FindMentions = no_mentions,
    ) -> None:
        """`tools` is the JSON array of schemas as sent; `restored` is the session to continue,
        perhaps with another model. `prompts` makes those of the ids wire.

        `permit` decides whether a call may run. `observer` is notified of rounds and steps, and may
        delay a step's calls. `check_sandbox` finds out whether the sandbox is gone; `setup`:
        commands set every sandbox up. `speaker` is the human at the prompt, `mentions`
        finds what they name.
        """
        self.usage = restored.usage if restored else Usage()
        """Tokens of all model calls of the session."""
        self.rounds = restored.rounds if restored else 0
        self.steps = restored.steps if restored else 0
        self.in_round = False
        """Whether a round is running, which can be steered."""
        self.ended: RoundEnd | None = None
        """How the last round ended."""
        self._history = history_of(restored)
        self._limits = limits
        self._observer = observer
        self._sandbox = restored.sandbox if restored else SandboxTrail()
        self._pending = restored.pending if restored else PendingTrail()
        self._check_sandbox = check_sandbox
        self._setup = setup
        self._channel = EventChannel(recorder, follow=self._follow)
        client = ModelClient(
            model=model,
            tools=tools,
            params=params,
            channel=self._channel,
            ids=restored.trail if restored else IdTrail(),
            prompts=prompts,
        )
        self.inbox = Inbox(self.note, client.neutralisation, self._pending, speaker, mentions)
        """What comes from outside, and waits for the end of the running step."""
        self._model = ModelCaller(client, self._channel, restored, other_model=other_model)
        self.context = Compactor(context, client, self._channel)
        self._tools = ToolCaller(
            toolbox=toolbox,
            channel=self._channel,
            permit=permit,
            on_sandbox_lost=on_sandbox_lost,
            observer=observer,
            neutralisation=client.neutralisation,
        )
        self._work = StreamedWork(self._channel, self._tools.stop_by)
        self._during: Literal["model", "tool"] = "model"
        self._last: Callable[[], EventData] | None = None
        """Makes the event that ends the recording at the end of the running step."""
        self.suspends = False
        """Whether the running round is left open at the end of the running step."""

    @property
    def breaks(self) -> dict[str, int]:
        """How often a prompt did not continue the previous call, by cause (`Continuity`)."""
        return dict(self._model.breaks)

    def take_over(self, before: AgentLoop) -> None:
        """Continue what another loop of the same recording did, and what waits there."""
        self.ended = before.ended
        self._model.breaks.update(before.breaks)
        self.inbox.take_over(before.inbox)

    def note(self, data: EventData, origin: Origin) -> Event:
        """Record an event and show it; the model reads it if it is a message."""
        event = self._channel.note(data, origin)
        self._history.add(event)
        return event

    def show(self, piece: LiveOutput) -> None:
        """Show output of what the human runs, between rounds."""
        self._channel.show(piece)

    def put_in_order(self, observations: Sequence[int]) -> None:
        """Put the observations of these events, none of them sent yet, in this order."""
        self._history.put_in_order(observations)

    def round(
        self,
        text: str,
        origin: Origin = "human",
        left: OpenRound | None = None,
        pending: Pending | None = None,
        typed: str | None = None,
    ) -> AsyncGenerator[Item, None]:
        """Run one round; yields what happens as it happens, and ends after `round_end`.

        The calls of a round that was `left` open are run first, which ends that round. `pending` is
        the message where it waited. A steer that the answer came before begins another round.
        Closing the generator early interrupts the round. Raises `RecordingFailed`.
        """
        return self._work.stream(lambda: self._new_round(text, origin, left, pending, typed))

    def resume_round(self, left: OpenRound) -> AsyncGenerator[Item, None]:
        """Continue the round that a restored session left open, as `round` does."""
        return self._work.stream(lambda: self._resumed_round(left))

    async def context_parts(self) -> dict[str, int]:
        """Return what fills the context, in tokens (`context.parts`)."""
        return await self.context.parts(self._history)

    def compact(self, focus: str = "") -> AsyncGenerator[Item, None]:
        """Compact the history now, between rounds, and yield what happens.

        `focus` is what the user wants the summary to keep.

        Closing the generator early interrupts it. Raises `RoundOver` when it cannot be done.
        """
        return self._work.stream(lambda: self._compact(focus))

    def between_rounds(self, work: Work) -> AsyncGenerator[Item, None]:
        """Do other work between rounds, and yield what it records and shows."""
        return self._work.stream(work)

    async def end_recording(self, last: Callable[[], EventData]) -> None:
        """End the recording with this event, when the running step has ended; what follows is
        shown to the model and on the screen, and never written. Raises `RecordingFailed`.
        """
        self._last = last
        self.inbox.hold()
        if not self._work.is_running:
            await self._end_recording()

    async def _end_recording(self) -> None:
        last, self._last = self._last, None
        if last is None:
            return
        await self._observer.wait_until_safe()
        self._observer = UNOBSERVED
        self._tools.leave_observer()
        self.note(last(), "human")
        self._channel.stop_recording()

    def interrupt(self, by: Origin = "human") -> None:
        """Interrupt the running round, if any; what was done is kept."""
        self._work.interrupt(by)

    def _follow(self, event: Event) -> None:
        """Take account of an event that was recorded."""
        self._sandbox.feed(event)
        self._pending.feed(event)
        match event.data:
            case ModelResponse(usage=Usage() as usage) | SummaryResponse(usage=Usage() as usage):
                self.usage += usage

    async def _compact(self, focus: str) -> None:
        with suppress(asyncio.CancelledError):  # nothing was replaced then
            await self.context.compact(self.steps, self._history, "asked", focus)

    async def _new_round(
        self,
        text: str,
        origin: Origin,
        left: OpenRound | None = None,
        pending: Pending | None = None,
        typed: str | None = None,
    ) -> None:
        first = self.steps
        async with self._round(first):
            if left is not None:
                await self._run_left_calls(left)
                self.note(superseded_round_end(self.rounds, left.steps), "harness")
            self._open_round(text, origin, pending, typed)
            await self._run_steps(first)
        await self._go_on()

    async def _go_on(self) -> None:
        """Begin a round with each steer that the answer came before."""
        if steer := self.inbox.next_round():
            await self._new_round(steer.text, "human", pending=steer)

    async def _resumed_round(self, left: OpenRound) -> None:
        first = self.steps - left.steps
        async with self._round(first):
            if left.answered:
                raise RoundOver("answered")
            await self._run_left_calls(left)
            await self._run_steps(first)
        await self._go_on()

    @asynccontextmanager
    async def _round(self, first: int) -> AsyncIterator[None]:
        """Record how the round ends that runs inside; its steps count from `first`."""
        status: RoundStatus
        fault: Exception | None = None
        try:
            self.in_round = True
            self._observer.round_begins(self.steps)
            try:
                yield
            finally:
                await self._model.record_check()
        except RoundOver as over:
            status, reason = over.status, over.reason
        except RoundSuspended:
            self.in_round = False
            return
        except asyncio.CancelledError:
            interrupt = Interrupt(round=self.rounds, during=self._during)
            self.note(interrupt, self._tools.stopped_by)
            status, reason = "interrupted", ""
        except Exception as error:
            fault = error
            _LOG.exception("round %d failed", self.rounds)
            status = "infra" if isinstance(error, RecordingError) else "failed"
            reason = f"{type(error).__name__}: {error}"
        self.in_round = False
        steps = self.steps - first
        self.ended = RoundEnd(round=self.rounds, status=status, steps=steps, reason=reason)
        if status != "answered":
            self.inbox.give_back()
        self.note(self.ended, "harness")
        if fault is not None:
            raise fault
        await self._end_recording()

    def _open_round(
        self, text: str, origin: Origin, pending: Pending | None, typed: str | None
    ) -> None:
        self.inbox.deliver_notes()
        self._note_new_sandbox()
        self.rounds += 1
        self.note(self.inbox.message(self.rounds, text, origin, pending, typed), origin)

    async def _run_left_calls(self, left: OpenRound) -> None:
        if left.calls:
            self._during = "tool"
            await self._tools.run(self.steps, left.calls, self._history)

    async def _run_steps(self, first: int) -> NoReturn:
        """Run steps until something raises `RoundOver`."""
        repetition, unusable = Repetition(), UnusableResponses()
        while True:
            if self.steps - first >= self._limits.max_steps:
                raise RoundOver("limit", f"{self._limits.max_steps} steps (max_steps)")
            await self._end_recording()
            if self.suspends:
                raise RoundSuspended
            self.inbox.deliver_notes()
            self._note_new_sandbox()
            self.inbox.deliver_steers(self.rounds)
            self.steps += 1
            self._during = "model"
            response = await self._respond()
            cut_by_context = self.context.was_cut_by_context(response)
            note = unusable_note(response) if cut_by_context else unusable.step(response)
            if note is not None:
                self.note(note, "harness")
                continue
            if not response.calls:
                await self._observer.wait_until_safe()
                raise RoundOver("answered")
            self._during = "tool"
            observations = await self._tools.run(self.steps, response.calls, self._history)
            self._note_repetition(repetition, response, observations)

    async def _respond(self) -> ModelResponse:
        """Call the model with room for its answer; once more when the prompt was too long."""
        max_tokens = await self.context.make_room(self.steps, self._history)
        try:
            response = await self._model.call(self.steps, self._history, max_tokens)
        except ContextOverflow as overflow:
            max_tokens = await self.context.overflowed(self.steps, self._history, overflow)
            response = await self._model.call(self.steps, self._history, max_tokens)
        await self.context.received(response, self._history)
        return response

    def _note_new_sandbox(self) -> None:
        """Let the model read what its last sandbox took along, before it relies on it."""
        self._check_sandbox()
        if self._sandbox.lost:
            self.note(new_sandbox_note(self._sandbox, setup=self._setup), "harness")

    def _note_repetition(
        self,
        repetition: Repetition,
        response: ModelResponse,
        observations: Sequence[Observation],
    ) -> None:
        reminder = repetition.step(
            [
                (call.name, call.arguments, observation.text)
                for call, observation in zip(response.calls, observations, strict=True)
            ]
        )
        if reminder:
            self.note(HarnessMessage(reason="repetition", text=reminder), "harness")
