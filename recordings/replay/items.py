"""What exported replays show of a recording: one list of items for the page and for the cast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from recordings.conversation.outages import OF_THE_INSTALLATION, TOOL_INFRA
from recordings.events import (
    Compaction,
    Edit,
    Event,
    HarnessMessage,
    Interrupt,
    LiveDelta,
    LiveOutput,
    ModelError,
    ModelRequest,
    ModelResponse,
    Observation,
    RoundEnd,
    SandboxEnd,
    SessionEnd,
    SessionResume,
    SummaryResponse,
    ToolCall,
    UserMessage,
)
from recordings.replay.timeline import timeline

ItemKind = Literal["user", "reasoning", "content", "call", "output", "observation", "note"]


@dataclass(frozen=True, slots=True)
class ReplayItem:
    """One change of what is shown."""

    wait: float
    """Seconds since the item before."""
    kind: ItemKind
    key: str
    """Items of one key belong together: the text of a message, a call and what came of it."""
    text: str
    about: str = ""
    """Of an observation: how it ended."""
    error: bool = False


def replay_items(events: Iterable[Event]) -> Iterator[ReplayItem]:
    """Yield what a replay shows, in order; waits of events that show nothing are added up."""
    writer = _Writer()
    wait = 0.0
    for seconds, shown in timeline(events):
        wait += seconds
        for item in writer.items(shown):
            yield ReplayItem(wait, *item)
            wait = 0.0


_Shown = tuple[ItemKind, str, str] | tuple[ItemKind, str, str, str, bool]


class _Writer:
    def __init__(self) -> None:
        self._attempt = 0
        """The event after which the text of a model call comes: an attempt that failed is told
        apart from the next."""
        self._streamed: set[str] = set()
        """What was streamed since, by kind: it is not shown again when it is whole."""
        self._calls: dict[str, str] = {}
        """Key of each call, by its id: some servers use an id again."""

    def items(self, shown: Event | LiveDelta | LiveOutput) -> Iterator[_Shown]:
        if isinstance(shown, LiveDelta):
            if shown.kind == "reasoning" or shown.kind == "content":
                self._streamed.add(shown.kind)
                yield shown.kind, f"{shown.kind}-{self._attempt}", shown.text
        elif isinstance(shown, LiveOutput):
            yield "output", self._calls.get(shown.call_id, ""), shown.text
        else:
            yield from self._event(shown)

    def _event(self, event: Event) -> Iterator[_Shown]:
        key = str(event.seq)
        match event.data:
            case UserMessage(text=text):
                yield "user", key, text
            case ModelResponse() as response:
                yield from self._response(response)
                self._begin(event.seq)
            case ModelRequest():
                self._begin(event.seq)
            case ToolCall(call_id=call_id, name=name, arguments=arguments):
                self._calls[call_id] = key
                yield "call", key, f"{name} {arguments}"
            case Observation() as observation:
                if observation.call_id not in self._calls:  # it never began
                    yield "call", key, observation.name
                about = f"{observation.seconds:.1f} s"
                if observation.exit_code is not None:
                    about += f", exit code {observation.exit_code}"
                if observation.error:
                    about += f", {observation.error}"
                if observation.error == TOOL_INFRA:
                    about += f": {OF_THE_INSTALLATION}"
                failed = bool(observation.error or observation.exit_code)
                key = self._calls.pop(observation.call_id, key)
                yield "observation", key, observation.text, about, failed
            case Edit(by=by, parts=parts, why=why):
                yield "note", key, f"Edited by {by} ({', '.join(parts)}). {why}".rstrip()
            case HarnessMessage(text=text):
                yield "note", key, text
            case SummaryResponse(summary=summary) if summary:
                yield "note", key, summary
            case Compaction(kind="stubs"):
                yield "note", key, "Old observations were left out to make room."
            case ModelError(message=message):
                yield "note", key, message, "", True
            case Interrupt():
                yield "note", key, "Interrupted."
            case SandboxEnd(reason="lost", detail=detail):
                yield "note", key, f"The sandbox was lost. {detail}", "", True
            case SessionResume():
                yield "note", key, "The session goes on."
            case RoundEnd(status=status, reason=reason) if status != "answered":
                failed = status != "interrupted"
                yield "note", key, f"The round ended: {status}. {reason}", "", failed
            case SessionEnd(status=status):
                yield "note", key, f"The session ended: {status}."

    def _begin(self, seq: int) -> None:
        self._attempt = seq
        self._streamed.clear()

    def _response(self, response: ModelResponse) -> Iterator[_Shown]:
        texts: tuple[tuple[Literal["reasoning", "content"], str | None], ...] = (
            ("reasoning", response.reasoning),
            ("content", response.content),
        )
        for kind, text in texts:
            if text and kind not in self._streamed:
                yield kind, f"{kind}-{self._attempt}", text
