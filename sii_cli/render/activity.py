"""What a session is doing right now, in one line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import assert_never

from recordings.conversation.last_round import LastRound
from recordings.events import (
    Compaction,
    Event,
    LiveDelta,
    LiveOutput,
    ModelError,
    ModelRequest,
    ModelResponse,
    Observation,
    PermissionAnswer,
    PermissionRequest,
    RoundEnd,
    SessionStart,
    SummaryRequest,
    SummaryResponse,
    ToolCall,
    Usage,
    UserMessage,
)
from sii_cli.agent.context.budget import Fill
from sii_cli.agent.event_channel import Item
from sii_cli.render.figures import duration
from sii_cli.text.sanitise import one_line

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAME = 0.1
"""Seconds that a frame of the spinner is shown."""
LONG = 5.0
"""Seconds of a round from which on its time and tokens are shown."""


class Activity:
    """Follows the items of a session."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.usage = Usage()
        """Tokens of the whole session."""
        self.fill = Fill(0, None, exact=True)
        """How full the context is, by the last prompt and its answer unless it is known better."""
        self.steps = 0
        self.answer = ""
        """What the model said last."""
        self._clock = clock
        self._what: str | None = None
        self._since = 0.0
        self._began = 0.0
        """When the round began."""
        self._generated = Generated(clock)
        self._retry_at: float | None = None
        self._attempt = 0
        self._running: dict[str, tuple[str, float]] = {}
        self._calling = ""
        self._written = 0

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        return self._what is not None

    @property
    def seconds(self) -> float:
        """How long the round has run."""
        return 0.0 if self._what is None else self._clock() - self._began

    def begin(self, what: str) -> None:
        """Say what is being waited for, from now on."""
        now = self._clock()
        if self._what is None:
            self._began = now
            self._generated = Generated(self._clock)
        self._what, self._since, self._retry_at = what, now, None

    def end(self) -> None:
        """Nothing is running."""
        self._what = None
        self._running.clear()

    def resume(self, last: LastRound) -> None:
        """Count what the session used before it was resumed."""
        self.usage, self.steps = last.usage, last.steps
        for event in last.events:
            if isinstance(event.data, ModelResponse):
                self.answer = event.data.content or self.answer
        self.fill = Fill(last.fill, self.fill.length, exact=True)

    def feed(self, item: Item) -> None:
        """Follow one item."""
        match item:
            case LiveDelta():
                self._delta(item)
            case LiveOutput():
                pass
            case Event():
                self._event(item)
            case _:
                assert_never(item)

    def line(self) -> str:
        """Return the line; empty when nothing runs."""
        if self._what is None:
            return ""
        now = self._clock()
        frame = FRAMES[int(now / FRAME) % len(FRAMES)]
        total = now - self._began
        rest = f" · {duration(total)} in all{self._generated.figures()}" if total >= LONG else ""
        return f"{frame} {self._doing(now)}{rest}"

    def _doing(self, now: float) -> str:
        if self._retry_at is not None:
            wait = max(0.0, self._retry_at - now)
            tries = f", try {self._attempt + 1}" if self._attempt > 1 else ""
            return f"waiting for the server{tries}, retry in {wait:.0f} s"
        if self._running:
            calls = [f"{name} {duration(now - since)}" for name, since in self._running.values()]
            return f"running {', '.join(calls[:3])}"
        return f"{self._what} {duration(now - self._since)}"

    def tokens(self, width: int | None = None) -> str:
        """Return how full the context is, as far as it is known; shorter for a small `width`."""
        if not self.fill.used:
            return ""
        about = "" if self.fill.exact else "~"
        text = f"{about}{_short(self.fill.used)} tokens"
        if self.fill.length:
            share = f"{100 * self.fill.used // self.fill.length} %"
            long = f"{text} ({share} of the context)"
            return long if width is None or len(long) <= width else f"{text} ({share})"
        return text

    def _delta(self, item: LiveDelta) -> None:
        self._retry_at = None
        self._generated.piece()
        match item.kind:
            case "reasoning":
                self._change("thinking")
            case "content":
                if item.text.strip():
                    self._change("writing")
            case "call_name":
                self._calling = one_line(item.text, 40)
                self._written = 0
                self._change(f"writing a call to {self._calling}")
            case "call_arguments":
                self._written += len(item.text)
                if self._written > 1000 and self._what is not None:
                    self._what = f"writing a call to {self._calling}, {_short(self._written)} long,"

    def _event(self, event: Event) -> None:
        match event.data:
            case SessionStart() as start:
                self.fill = Fill(0, start.context_length, exact=True)
            case UserMessage():
                self._change("working")
            case ModelRequest():
                self.begin("waiting for the model")
            case ModelError(retry_in=float() as wait) as error:
                self._retry_at, self._attempt = self._clock() + wait, error.attempt
            case ModelResponse() as response:
                self.steps += 1
                self._generated.response(response.usage)
                self.answer = response.content or self.answer
                self._count(response.usage)
                if response.usage is not None:
                    used = response.usage.prompt_tokens + response.usage.completion_tokens
                    self.fill = Fill(used, self.fill.length, exact=True)
                self._change("working")
            case SummaryRequest():
                self.begin("summarising the history")
            case SummaryResponse() as response:
                self._count(response.usage)
            case Compaction() as compaction:
                self.fill = Fill(compaction.after, self.fill.length, compaction.exact)
            case PermissionRequest():
                self.begin("waiting for your answer")
            case PermissionAnswer():
                self._change("working")
            case ToolCall() as call:
                self._running[call.call_id] = (one_line(call.name, 40), self._clock())
            case Observation() as observation:
                self._running.pop(observation.call_id, None)
                self._change("working")
            case RoundEnd():
                self.end()

    def _change(self, what: str) -> None:
        if self._what != what:
            self.begin(what)

    def _count(self, usage: Usage | None) -> None:
        if usage is None:
            return
        self.usage = Usage(
            prompt_tokens=self.usage.prompt_tokens + usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens + usage.completion_tokens,
        )


class Generated:
    """What the model generated in a round: how many tokens, and how many a second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens = 0
        self._seconds = 0.0
        self._pieces = 0
        """Of the response that streams: about one a token."""
        self._first = 0.0

    def piece(self) -> None:
        """Count a piece of the response that streams."""
        if not self._pieces:
            self._first = self._clock()
        self._pieces += 1

    def response(self, usage: Usage | None) -> None:
        """Count a whole response by what the server says, else by its pieces."""
        if self._pieces:
            self._seconds += self._clock() - self._first
        self._tokens += usage.completion_tokens if usage is not None else self._pieces
        self._pieces = 0

    def figures(self) -> str:
        """Return the figures, each after a dot; empty before anything was generated."""
        tokens = self._tokens + self._pieces
        seconds = self._seconds + (self._clock() - self._first if self._pieces else 0.0)
        if not tokens:
            return ""
        rate = f", {tokens / seconds:,.0f} a second" if seconds >= 1 else ""
        return f" · {_short(tokens)} tokens{rate}"


def _short(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.1f}k"
