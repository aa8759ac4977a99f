"""Compaction: keeps the history within the model's context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recordings.conversation.messages import encode_message, message_of
from recordings.conversation.restore import SentMessage
from recordings.events import (
    Compaction,
    Event,
    EventData,
    ModelResponse,
    Stub,
    SummaryEdit,
    SummaryResponse,
)
from sii_cli.agent.context import reductions
from sii_cli.agent.context.budget import UNLIMITED, ContextBudget, Fill
from sii_cli.agent.context.meter import Meter
from sii_cli.agent.context.parts import context_parts
from sii_cli.agent.context.reductions import HistoryEntry
from sii_cli.agent.context.summary import Summariser, summary_instruction
from sii_cli.agent.context.tokens import EstimateCounter, TokenCounter
from sii_cli.agent.event_channel import EventChannel
from sii_cli.agent.history import History
from sii_cli.agent.model_client import ModelClient
from sii_cli.agent.round_control import ContextOverflow, RoundOver

ReviewSummary = Callable[[str], Awaitable[str | None]]
"""Shows a summary; returns it as the human edited it, or `None` to use it as it is."""
Cause = Literal["full", "overflow", "asked"]
Kind = Literal["stubs", "summary"]

TARGET = 0.6
"""Share of the context that the history may have with stubs; else it is summarised."""
TAIL = 0.25
"""Share of the context for the last steps, when the rest is summarised."""
WORDS = 0.2
"""Share of the context for the user's earlier messages."""
SUMMARY = 8192
"""Tokens of a summary, reasoning included; at most one eighth of the context."""
TRIES = 3
"""How often a summary is asked for, of less each time, when the prompt is too long."""
IN_A_ROW = 3
"""Compactions in successive steps, after which the round ends."""

LEFT_OUT = (
    "[This result ({chars:,} characters) was left out to make room in the context. Run the call "
    "again if you need it.]"
)
TOO_LONG = (
    "[This result ({chars:,} characters) was left out: it does not fit the context. Ask for a "
    "smaller part of it.]"
)


class NothingToSummarise(RoundOver):
    """Raised when the history has nothing that could be left out."""


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What a session knows of its model's context."""

    budget: ContextBudget = UNLIMITED
    counter: TokenCounter = field(default_factory=EstimateCounter)
    counted_by: str = "an estimate"
    compact: bool = True
    """Whether a full context is compacted; else the round ends."""
    review: ReviewSummary | None = None
    """Shows a summary to the human before it is used."""
    speaker: str | None = None
    """Pseudonym of that human."""


UNKNOWN = ModelContext()


class Compactor:
    """Counts how full the context is, and replaces the history by a shorter one in time."""

    def __init__(
        self,
        context: ModelContext,
        client: ModelClient,
        channel: EventChannel,
    ) -> None:
        self.context = context
        self.speaker = context.speaker
        """The human who may edit a summary."""
        self.budget = context.budget
        self.meter = Meter(context.counter, client.tools)
        self._client = client
        self._channel = channel
        self._summariser = Summariser(client, channel)
        self._last = -1
        """The step of the last compaction."""
        self._in_a_row = 0

    @property
    def fill(self) -> Fill:
        """How full the context is now."""
        return Fill(self.meter.used, self.budget.length, self.meter.exact)

    async def make_room(self, step: int, history: History) -> int | None:
        """Make room for an answer where needed; return the most tokens that it may have.

        Raises `RoundOver` when there is no room.
        """
        await self.meter.count(history.encoded)
        if self._is_full():
            await self._count_exactly(history)
        if self._is_full():
            if not self.context.compact:
                raise RoundOver("limit", f"{self._full()}, and compact is off")
            await self.compact(step, history, "full")
        return self._max_tokens()

    async def overflowed(
        self, step: int, history: History, overflow: ContextOverflow
    ) -> int | None:
        """Make room after the server refused a prompt as too long. Raises `RoundOver`."""
        if not self.context.compact:
            raise RoundOver("limit", f"{overflow.reason} (compact is off)")
        try:
            await self.compact(step, history, "overflow")
        except NothingToSummarise:
            raise RoundOver("limit", overflow.reason) from None
        return self._max_tokens()

    async def received(self, response: ModelResponse, history: History) -> None:
        """Count the history as the server counted it."""
        usage = response.usage
        if usage is None:
            await self.meter.count(history.encoded)
        else:
            total = usage.prompt_tokens + usage.completion_tokens
            self.meter.set(total, len(history.encoded))

    def was_cut_by_context(self, response: ModelResponse) -> bool:
        """Return whether a response was cut off because the context was full."""
        is_cut = response.finish_reason == "length" and self.budget.length is not None
        return is_cut and self._is_full() and not self._reached_what_was_asked(response)

    async def parts(self, history: History) -> dict[str, int]:
        """Return what fills the context, in tokens."""
        return await context_parts(self.context.counter, self._client.tools, history.encoded)

    async def compact(self, step: int, history: History, cause: Cause, focus: str = "") -> None:
        """Replace the history by a shorter one, and record it.

        `focus` is what the user wants a summary to keep.

        Raises `RoundOver` when it cannot be made shorter.
        """
        await self.meter.count(history.encoded)
        if cause != "asked":
            self._guard(step)
        before, exact = self.meter.used, self.meter.exact
        kind: Kind
        length = self.budget.length or before
        total = max(before, length) if cause == "overflow" else before
        entries = reductions.measure(history.messages, total)
        too_many = total - round(TARGET * length)
        stubs = [] if cause == "asked" else reductions.to_stub(entries, too_many)
        if stubs and reductions.freed(stubs) >= too_many:
            kind, new = "stubs", self._with_stubs(entries, stubs, LEFT_OUT)
        else:
            kind, new = await self._summarised(step, history, entries, cause, focus)
        messages = [entry.message for entry in new]
        after = Meter(self.context.counter, self._client.tools)
        await after.count([message.encoded for message in messages])
        span = history.span_of(messages)
        history.replace(messages)
        self.meter = after
        compaction = Compaction(
            cause=cause,
            kind=kind,
            messages=span,
            before=before,
            after=after.used,
            exact=exact and after.exact,
        )
        self._channel.note(compaction, "compaction")
        if self._is_full():
            raise RoundOver("limit", f"{self._full()}, and no more of it can be left out")

    async def _summarised(
        self,
        step: int,
        history: History,
        entries: list[HistoryEntry],
        cause: Cause,
        focus: str,
    ) -> tuple[Kind, list[HistoryEntry]]:
        """Return the history with a summary instead of all that need not be kept.

        When only the last step is too long, its observations are stubbed and no summary is made.
        """
        length = self.budget.length or reductions.size(entries)
        front, units = reductions.split(entries)
        tail = [] if cause == "asked" else self._tail(units, round(TAIL * length))
        earlier = units[: len(units) - len(tail)]
        is_said_later = any(unit[0].role == "user" for unit in tail)
        words = reductions.user_words(earlier, round(WORDS * length), keep_last=not is_said_later)
        last = [entry for unit in tail for entry in unit]
        if len(front) + len(words) + len(last) >= len(entries):
            if last and last != entries[-len(last) :]:
                return "stubs", [*front, *words, *last]
            full = "" if cause == "asked" else f"{self._full()}, and "
            raise NothingToSummarise("limit", f"{full}there is nothing to sum up")
        summary = await self._ask(step, history, entries, length, focus)
        return "summary", [*front, *words, summary, *last]

    async def _ask(
        self,
        step: int,
        history: History,
        entries: list[HistoryEntry],
        length: int,
        focus: str,
    ) -> HistoryEntry:
        room = min(SUMMARY, length // 8)
        instruction = summary_instruction(self._client.neutralisation.apply(focus)[0])
        asking = await self.context.counter.count(instruction)
        too_many = reductions.size(entries) + asking + room - length
        for _ in range(TRIES):
            shorter = self._shortened(entries, too_many)
            messages = [entry.message for entry in shorter]
            span = history.span_of(messages)
            try:
                event = await self._summariser.summarise(step, messages, span, room, instruction)
            except ContextOverflow as overflow:
                failure = overflow
                too_many = max(too_many, 0) + length // 4
                continue
            return await self._reviewed(event)
        raise failure

    async def _reviewed(self, summarised: Event) -> HistoryEntry:
        """Return the summary, as the human edited it where they did."""
        data = summarised.data
        assert isinstance(data, SummaryResponse)
        review = self.context.review
        edited = None if review is None else await review(data.summary)
        if edited is None or edited == data.summary:
            return self._entry(summarised.seq, data)
        text, _ = self._client.neutralisation.apply(edited)
        edit = SummaryEdit(of=summarised.seq, text=text, speaker=self.speaker)
        event = self._channel.note(edit, "human")
        return self._entry(event.seq, event.data)

    def _shortened(self, entries: list[HistoryEntry], too_many: int) -> list[HistoryEntry]:
        """Return what is summarised: all, or all but the oldest observations and steps."""
        if too_many <= 0:
            return entries
        stubs = reductions.to_stub(entries, too_many)
        shorter = self._with_stubs(entries, stubs, LEFT_OUT)
        return reductions.without_oldest(shorter, too_many - reductions.freed(stubs))

    def _tail(self, units: Sequence[reductions.Unit], room: int) -> list[reductions.Unit]:
        """Return the last steps that fit; at least the last one, if it fits without its
        observations."""
        kept = reductions.last_units(units, room)
        if kept or not units or units[-1][0].role != "assistant":
            return kept
        long = [entry for entry in units[-1] if entry.role == "tool"]
        short = self._with_stubs(units[-1], long, TOO_LONG)
        return [short] if reductions.size(short) <= room else []

    def _with_stubs(
        self, entries: Sequence[HistoryEntry], left_out: Sequence[HistoryEntry], text: str
    ) -> list[HistoryEntry]:
        chosen = {entry.message.seq for entry in left_out}
        return [
            self._stub(entry, text) if entry.message.seq in chosen else entry for entry in entries
        ]

    def _stub(self, entry: HistoryEntry, text: str) -> HistoryEntry:
        stub = Stub(
            of=entry.message.seq, call_id=entry.call_id, text=text.format(chars=entry.chars)
        )
        event = self._channel.note(stub, "compaction")
        return reductions.stubbed(entry, _message(event.seq, stub))

    def _entry(self, seq: int, data: EventData) -> HistoryEntry:
        [entry] = reductions.measure([_message(seq, data)], 0)
        return entry

    async def _count_exactly(self, history: History) -> None:
        """Let the server count the whole prompt, where it can."""
        counted = await self._client.count_tokens(history.messages)
        if counted is not None:
            self.meter.set(counted, len(history.encoded))

    def _guard(self, step: int) -> None:
        """Raise `RoundOver` when the context is full again after every step."""
        self._in_a_row = self._in_a_row + 1 if step - self._last <= 1 else 1
        self._last = step
        if self._in_a_row > IN_A_ROW:
            raise RoundOver("limit", f"{self._full()} again after every single step")

    def _max_tokens(self) -> int | None:
        return self.budget.max_tokens(self.meter.used + self.meter.unsure)

    def _is_full(self) -> bool:
        return self.budget.is_full(self.meter.used + self.meter.unsure)

    def _reached_what_was_asked(self, response: ModelResponse) -> bool:
        made = response.usage.completion_tokens if response.usage else 0
        return self.budget.asked is not None and made >= self.budget.asked

    def _full(self) -> str:
        about = "" if self.meter.exact else "about "
        length = f" of {self.budget.length:,}" if self.budget.length else ""
        return f"the context is full ({about}{self.meter.used:,}{length} tokens)"


def _message(seq: int, data: EventData) -> SentMessage:
    message = message_of(data)
    assert message is not None
    return SentMessage(seq, encode_message(message))
