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
from sii_cli.text.sanitise import one_line

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAME = 0.1
"""Seconds that a frame of the spinner is shown."""


class Activity:
    """Follows the items of a session."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.usage = Usage()
        """Tokens of the whole session."""
        self.fill = Fill(0, None, exact=True)
        """How full the context is, by the last prompt and its answer unless it is known better."""
        self.steps = 0
        self._clock = clock
        self._what: str | None = None
        self._since = 0.0
        self._retry_at: float | None = None
        self._running: dict[str, tuple[str, float]] = {}
        self._calling = ""
        self._written = 0

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        return self._what is not None

    def begin(self, what: str) -> None:
        """Say what is being waited for, from now on."""
        self._what, self._since, self._retry_at = what, self._clock(), None

    def end(self) -> None:
        """Nothing is running."""
        self._what = None
        self._running.clear()

    def resume(self, last: LastRound) -> None:
        """Count what the session used before it was resumed."""
        self.usage, self.steps = last.usage, last.steps
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
        if self._retry_at is not None:
            wait = max(0.0, self._retry_at - now)
            return f"{frame} waiting for the server, retry in {wait:.0f} s"
        if self._running:
            calls = [f"{name} {_seconds(now - since)}" for name, since in self._running.values()]
            return f"{frame} running {', '.join(calls[:3])}"
        return f"{frame} {self._what} {_seconds(now - self._since)}"

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
                self.begin("working")
            case ModelRequest():
                self.begin("waiting for the model")
            case ModelError(retry_in=float() as wait):
                self._retry_at = self._clock() + wait
            case ModelResponse() as response:
                self.steps += 1
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


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _short(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.1f}k"
