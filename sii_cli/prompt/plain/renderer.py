"""What happens in a session as lines, each of which begins with a word that says what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.text import Text

from recordings.events import (
    AttachedFile,
    CallRequest,
    Compaction,
    EventData,
    HarnessMessage,
    HumanCommand,
    LiveDelta,
    LiveOutput,
    ModelChange,
    ModelError,
    ModelResponse,
    Observation,
    PermissionRequest,
    RoundEnd,
    SandboxEnd,
    SandboxStart,
    Snapshot,
    SnapshotFailed,
    ToolCall,
    UserMessage,
)
from recordings.flags import SETTLED, describe_flags
from sii_cli.agent.event_channel import Item
from sii_cli.render.call_order import CallOrder
from sii_cli.render.calls import MARK, proposed_call, render_call
from sii_cli.render.figures import counted
from sii_cli.render.notes import note_lines
from sii_cli.render.observations import BAR, render_observation
from sii_cli.text.sanitise import sanitise

_WORDS: dict[type[EventData], str] = {
    UserMessage: "You",
    AttachedFile: "Attached",
    HumanCommand: "Your command",
    HarnessMessage: "Note",
    ModelError: "Server",
    ModelChange: "Model",
    SandboxStart: "Sandbox",
    SandboxEnd: "Sandbox",
    Snapshot: "Files",
    SnapshotFailed: "Files",
    Compaction: "Context",
    RoundEnd: "Round",
}
"""Of the events that have lines of their own; others are `Session`."""


class LineRenderer:
    """Says each event once, when it is complete. `write` prints lines after a word."""

    def __init__(self, write: Callable[[str, Sequence[str]], None], *, fold_thoughts: bool) -> None:
        self._write = write
        self._fold_thoughts = fold_thoughts
        self._order = CallOrder()
        self._asked: dict[str, CallRequest] = {}
        self._in_question: str | None = None
        self._shown_flags = {"ended_at_limit", "call_not_parsed"}
        """Flags that were said already; harness messages say of these two."""

    def feed(self, item: Item) -> None:
        """Say an event; what streams is said once it is whole."""
        for each in self._order.feed(item):
            self._say(each)

    def finish(self) -> None:
        """Say what was held back."""
        for each in self._order.end():
            self._say(each)

    def say(self, lines: Sequence[str], style: str) -> None:
        """Print lines of sii; the colour says nothing that they do not."""
        self._write("sii", lines)

    def say_rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print rows of a name and a text."""
        self._write("sii", [": ".join(filter(None, row)) for row in rows if any(row)])

    def _say(self, item: Item) -> None:
        if isinstance(item, LiveDelta | LiveOutput):
            return
        match item.data:
            case ModelResponse() as response:
                self._response(response)
            case PermissionRequest() as request:
                self._in_question = request.call_id
                if (asked := self._asked.get(request.call_id)) is not None:
                    self._texts("Proposed", proposed_call(asked))
            case ToolCall() as call:
                self._call(call)
            case Observation() as observation:
                failed = observation.error is not None or observation.exit_code not in (0, None)
                word = "Failed" if failed else "Result"
                self._texts(word, render_observation(observation, None))
            case data:
                self._texts(_WORDS.get(type(data), "Session"), note_lines(data, None))

    def _response(self, response: ModelResponse) -> None:
        self._asked = {call.call_id: call for call in response.calls}
        thought = (response.reasoning or "").strip("\n")
        if thought:
            lines = thought.split("\n")
            folded = [f"{counted(len(lines), 'line', 'lines')}; `sii show` has them"]
            self._write("Thought", folded if self._fold_thoughts else lines)
        if content := (response.content or "").strip("\n"):
            self._write("Says" if response.calls else "Answer", content.split("\n"))
        new = [flag for flag in response.flags if flag not in self._shown_flags]
        self._shown_flags |= SETTLED.intersection(new)
        if new:
            self._write("Doubt", [describe_flags(new)])
        if not response.complete:
            self._write("Cut off", ["Nothing in this message was run."])

    def _call(self, call: ToolCall) -> None:
        if call.call_id != self._in_question:
            self._texts("Call", render_call(call))
        self._in_question = None
        if not call.approval.allowed:
            self._write("Refused", [call.approval.words or call.name])

    def _texts(self, word: str, texts: Sequence[Text]) -> None:
        lines = [text.plain.removeprefix(MARK).removeprefix(BAR) for text in texts]
        if texts and word == "You":
            lines = [line[2:] for line in lines]
        self._write(word, lines)


def line_of(word: str, lines: Sequence[str]) -> str:
    """Return lines after a word, those below the first one with a margin."""
    first, *rest = [sanitise(line) for line in lines]
    return "\n".join([f"{word}: {first}", *(f"  {line}".rstrip() for line in rest)]) + "\n"
