"""The loop: user message → model call → tool calls → observations, until an answer or a stop.

It owns no I/O: model, tools and recorder are handed in. Everything it does is an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from recordings.conversation.ids import IdTrail
from recordings.conversation.restore import Conversation
from recordings.conversation.sandbox_state import SandboxTrail
from recordings.errors import RecordingError
from recordings.events import (
    CallRequest,
    Event,
    EventData,
    HarnessMessage,
    Interrupt,
    ModelResponse,
    Neutralised,
    Observation,
    Origin,
    RoundEnd,
    RoundStatus,
    UserMessage,
)
from recordings.recorder import Recorder
from sii_cli.agent.context.compaction import UNKNOWN, Compactor, Context
from sii_cli.agent.flow import UNWATCHED, ContextOverflow, RoundOver, Watch
from sii_cli.agent.history import History
from sii_cli.agent.model_call import ModelCaller
from sii_cli.agent.model_client import ModelClient
from sii_cli.agent.repetition import Repetition
from sii_cli.agent.sandbox_note import new_sandbox_note
from sii_cli.agent.stumbles import Stumbles, stumble_note
from sii_cli.agent.tool_calls import Approve, ToolCaller, allow_all
from sii_cli.agent.wire import Item, Wire
from sii_cli.model.control_tokens import neutralise
from sii_cli.model.types import Model
from tools.registry import Toolbox


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round that did not end, of a session that goes on."""

    steps: int
    """Taken in it so far."""
    calls: Sequence[CallRequest] = ()
    """Of its last response: never begun, to be run first."""
    answered: bool = False
    """Its last response is the answer."""


def displaced(number: int, steps: int) -> RoundEnd:
    """Return the end of an open round that another message came into."""
    reason = "another message came while this round was open"
    return RoundEnd(round=number, status="interrupted", steps=steps, reason=reason)


@dataclass(frozen=True, slots=True)
class RoundLimits:
    """When a round is stopped."""

    max_steps: int = 200


class Loop:
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
        approve: Approve = allow_all,
        on_sandbox_lost: Callable[[str], None] = lambda detail: None,
        look_at_sandbox: Callable[[], None] = lambda: None,
        setup: bool = False,
        watch: Watch = UNWATCHED,
        context: Context = UNKNOWN,
        restored: Conversation | None = None,
    ) -> None:
        """`tools` is the JSON array of schemas as sent; `restored` is what to go on with.

        `watch` is told of rounds and steps, and may hold up a step's calls. `look_at_sandbox` sees
        to it that a sandbox which is gone is known to be; `setup`: commands set every one up.
        """
        self.rounds = restored.rounds if restored else 0
        self.steps = restored.steps if restored else 0
        self.ended: RoundEnd | None = None
        """How the last round ended."""
        self._history = History()
        if restored:
            self._history = History(restored.messages, restored.sent, replaced=restored.compacted)
        self._limits = limits
        self._watcher = watch
        self._sandbox = restored.sandbox if restored else SandboxTrail()
        self._look_at_sandbox = look_at_sandbox
        self._setup = setup
        self._wire = Wire(recorder, follow=self._sandbox.take)
        client = ModelClient(
            model=model,
            tools=tools,
            params=params,
            wire=self._wire,
            ids=restored.trail if restored else IdTrail(),
        )
        self._model = ModelCaller(client, self._wire)
        self.context = Compactor(context, client, self._wire)
        self._tools = ToolCaller(
            toolbox=toolbox,
            wire=self._wire,
            approve=approve,
            on_sandbox_lost=on_sandbox_lost,
            watch=watch,
        )
        self._running: asyncio.Task[None] | None = None
        self._during: Literal["model", "tool"] = "model"
        self._interrupted = False
        self._begun = False
        """The round's task is at work: cancelled before, it could tell of nothing."""

    @property
    def breaks(self) -> dict[str, int]:
        """How often prompts did not extend what stood before, by cause (`Continuity`)."""
        return dict(self._model.breaks)

    def note(self, data: EventData, origin: Origin) -> Event:
        """Record an event and show it; the model reads it if it stands for a message."""
        event = self._wire.note(data, origin)
        self._history.add(event)
        return event

    def put_in_order(self, observations: Sequence[int]) -> None:
        """Let the model read these events' observations, which it was not sent, in this order."""
        self._history.put_in_order(observations)

    def round(
        self, text: str, origin: Origin = "human", left: OpenRound | None = None
    ) -> AsyncGenerator[Item, None]:
        """Run one round; yields what happens as it happens, and ends after `round_end`.

        The calls of a round that was `left` open are run first, which ends it. Closing the
        generator early interrupts the round. Raises `RecordingFailed`.
        """
        begin = partial(self._hear, text, origin, left)
        return self._watch(lambda: self._round(begin, self.steps))

    def go_on(self, left: OpenRound) -> AsyncGenerator[Item, None]:
        """Go on with the round that a restored session left open, as `round` does."""
        first = self.steps - left.steps
        return self._watch(lambda: self._round(partial(self._catch_up, left), first))

    def compact(self) -> AsyncGenerator[Item, None]:
        """Sum the history up now, between rounds, and yield what happens.

        Closing the generator early interrupts it. Raises `RoundOver` when it cannot be done.
        """
        return self._watch(self._compact)

    async def _watch(
        self, begin: Callable[[], Coroutine[None, None, None]]
    ) -> AsyncGenerator[Item, None]:
        self._interrupted = self._begun = False
        self._running = asyncio.create_task(begin())
        self._running.add_done_callback(lambda _: self._wire.end())
        is_watched = True
        try:
            await asyncio.sleep(0)
            self._begun = True
            if self._interrupted:
                self._running.cancel()
            while (item := await self._wire.next()) is not None:
                yield item
            is_watched = False
            await self._running
        finally:
            self.interrupt()
            if not self._begun:
                self._running.cancel()
            await asyncio.wait([self._running])
            if is_watched:
                self._wire.skip_round()
                self._running.exception()

    def interrupt(self, by: Origin = "human") -> None:
        """Stop the running round, if any; what was done is kept."""
        if self._running is not None and not self._running.done() and not self._interrupted:
            self._interrupted = True
            self._tools.stopped_by = by
            if self._begun:
                self._running.cancel()

    async def _compact(self) -> None:
        with suppress(asyncio.CancelledError):  # then nothing was replaced
            await self.context.compact(self.steps, self._history, "asked")

    async def _round(self, begin: Callable[[], Awaitable[None]], first: int) -> None:
        """Run a round that counts its steps from `first`."""
        status: RoundStatus
        fault: Exception | None = None
        try:
            self._watcher.round_begins(self.steps)
            await begin()
            try:
                await self._work(first)
            finally:
                await self._model.settle()
        except RoundOver as over:
            status, reason = over.status, over.reason
        except asyncio.CancelledError:
            interrupt = Interrupt(round=self.rounds, during=self._during)
            self.note(interrupt, self._tools.stopped_by)
            status, reason = "interrupted", ""
        except Exception as error:
            fault = error
            status = "infra" if isinstance(error, RecordingError) else "failed"
            reason = f"{type(error).__name__}: {error}"
        steps = self.steps - first
        self.ended = RoundEnd(round=self.rounds, status=status, steps=steps, reason=reason)
        self.note(self.ended, "harness")
        if fault is not None:
            raise fault

    async def _hear(self, text: str, origin: Origin, left: OpenRound | None) -> None:
        if left is not None:
            await self._catch_up(left)
            self.note(displaced(self.rounds, left.steps), "harness")
        self._tell_new_sandbox()
        self.rounds += 1
        sent, found = neutralise(text)
        self.note(
            UserMessage(
                round=self.rounds,
                text=text,
                sent=sent if found else None,
                neutralised=[Neutralised(token=token, count=count) for token, count in found],
            ),
            origin,
        )

    async def _catch_up(self, left: OpenRound) -> None:
        if left.answered:
            raise RoundOver("answered")
        if left.calls:
            self._during = "tool"
            await self._tools.run(self.steps, left.calls, self._history)

    async def _work(self, first: int) -> None:
        """Take steps until something raises `RoundOver`."""
        repetition, stumbles = Repetition(), Stumbles()
        while True:
            if self.steps - first >= self._limits.max_steps:
                raise RoundOver("limit", f"{self._limits.max_steps} steps (max_steps)")
            self._tell_new_sandbox()
            self.steps += 1
            self._during = "model"
            response = await self._respond()
            cut_by_context = self.context.was_cut_by_context(response)
            note = stumble_note(response) if cut_by_context else stumbles.step(response)
            if note is not None:
                self.note(note, "harness")
                continue
            if not response.calls:
                await self._watcher.settled()
                raise RoundOver("answered")
            self._during = "tool"
            observations = await self._tools.run(self.steps, response.calls, self._history)
            self._tell_repetition(repetition, response, observations)

    async def _respond(self) -> ModelResponse:
        """Call the model with room for its answer; once more when the server finds none."""
        max_tokens = await self.context.make_room(self.steps, self._history)
        try:
            response = await self._model.call(self.steps, self._history, max_tokens)
        except ContextOverflow as overflow:
            max_tokens = await self.context.overflowed(self.steps, self._history, overflow)
            response = await self._model.call(self.steps, self._history, max_tokens)
        await self.context.heard(response, self._history)
        return response

    def _tell_new_sandbox(self) -> None:
        """Tell the model what went with its last sandbox, before it counts on it again."""
        self._look_at_sandbox()
        if self._sandbox.lost:
            self.note(new_sandbox_note(self._sandbox, setup=self._setup), "harness")

    def _tell_repetition(
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
