"""The renderer: what happens in a session, item by item, as lines on a screen.

The prompt, the headless text, `sii show`, `sii replay` and `sii demo` all use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from rich.console import RenderableType
from rich.text import Text

from recordings.events import (
    CallRequest,
    Event,
    EventData,
    Flag,
    HumanCommand,
    LiveDelta,
    LiveOutput,
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    NetworkRequest,
    Observation,
    PermissionAnswer,
    PermissionRequest,
    PortOpened,
    PreviewOpened,
    RawGeneration,
    SandboxStart,
    Snapshot,
    ToolCall,
    ToolOutput,
)
from recordings.flags import SETTLED, describe_flags
from sii_cli.agent.event_channel import Item
from sii_cli.render.call_order import CallOrder
from sii_cli.render.calls import proposed_call, render_call
from sii_cli.render.growing import FoldedThought, GrowingOutput, Prose
from sii_cli.render.notes import note_lines
from sii_cli.render.observations import BAR, render_observation
from sii_cli.render.screen import Screen
from sii_cli.text.sanitise import one_line


class EventRenderer:
    """Draws items on a screen.

    `fold=False` shows everything of what calls returned; with `fold_thoughts` one line is left of
    what the model thought, once it has ended.
    """

    def __init__(self, screen: Screen, *, fold: bool = True, fold_thoughts: bool = False) -> None:
        self._screen = screen
        self.fold = fold
        self._fold_thoughts = fold_thoughts and screen.live
        self._order = CallOrder()
        self._prose: Prose | FoldedThought | None = None
        self._streamed: set[str] = set()
        self._asked: dict[str, CallRequest] = {}
        """Calls of the last response: also those that never began are shown in full."""
        self._calls: dict[str, ToolCall] = {}
        self._outputs: dict[str, GrowingOutput] = {}
        self._in_question: str | None = None
        """The call that was drawn last, because the human was asked about it."""
        self._refused: set[str] = set()
        self._held: list[Text] = []
        """Lines that came while prose was streaming."""
        self._failure: str | None = None
        """What the server last failed with, until it answers: said once."""
        self._fresh = True
        self._shown_flags = {"ended_at_limit", "call_not_parsed"}
        """Flags that were shown already; harness messages say of these two."""

    def feed(self, item: Item) -> None:
        """Draw one item; what was drawn before stays as it is."""
        for each in self._order.feed(item):
            self._draw(each)

    def _draw(self, item: Item) -> None:
        match item:
            case LiveDelta():
                self._delta(item.kind, item.text)
            case LiveOutput():
                self._output(item)
            case Event():
                self._event(item.data)
            case _:
                assert_never(item)

    def finish(self) -> None:
        """Draw what is still in the tail, for good."""
        for item in self._order.end():
            self._draw(item)
        self._end_prose()
        self._outputs.clear()
        self._screen.tail([])

    def _event(self, data: EventData) -> None:
        match data:
            case ModelDelta() | ToolOutput():
                pass  # they come as live pieces; without timing, the whole text comes later
            case ModelRequest():
                self._end_prose()
                self._streamed.clear()
            case ModelResponse():
                self._response(data)
            case RawGeneration():
                self._flags(data.step, data.flags)
            case PermissionRequest():
                self._permission_request(data)
            case PermissionAnswer():
                self._screen.print(*note_lines(data, None))
            case ToolCall():
                self._call(data)
            case Observation():
                self._observation(data)
            case ModelError(retry_in=float()) if self._screen.live:
                self._failed(data)
            case HumanCommand():
                self._human_command(data)
            case NetworkRequest():
                self._network_request(data)
            case Snapshot() | PortOpened() | PreviewOpened():
                self._hold(data)
            case SandboxStart() if self._calls:  # the first call waited for it
                self._screen.print(
                    *(Text(BAR).append_text(line) for line in note_lines(data, None))
                )
            case SandboxStart() if self._prose is not None:
                self._hold(data)
            case _:
                self._end_prose()
                width = self._screen.width if self._screen.live else None
                self._section(*note_lines(data, width, fold=self.fold))

    # What the model says

    def _delta(self, kind: str, text: str) -> None:
        if kind not in ("reasoning", "content"):
            self._end_prose()
            return
        if self._prose is None or self._prose.kind != kind:
            if not text.strip():
                return  # servers put stray newlines around calls
            self._end_prose()
            self._prose = self._begin_prose(kind)
            self._streamed.add(kind)
            text = text.lstrip("\n")
        blocks = self._prose.feed(text)
        if blocks:
            self._part_of_section(blocks)
        if self._screen.live:
            self._screen.tail(self._prose.tail())

    def _begin_prose(self, kind: str) -> Prose | FoldedThought:
        if kind == "reasoning" and self._fold_thoughts:
            return FoldedThought(self._screen)
        return Prose(kind, self._screen)

    def _failed(self, data: ModelError) -> None:
        """Draw a failure that is tried again; one that repeats itself is counted elsewhere."""
        self._end_prose()
        if data.message != self._failure:
            self._failure = data.message
            self._section(*note_lines(data, None))

    def _response(self, data: ModelResponse) -> None:
        self._failure = None
        self._end_prose()
        for kind, text in (("reasoning", data.reasoning), ("content", data.content)):
            if text and text.strip() and kind not in self._streamed:
                self._prose = Prose(kind, self._screen)
                self._part_of_section(self._prose.feed(text.strip("\n")))
                self._end_prose()
        self._streamed.clear()
        self._asked = {call.call_id: call for call in data.calls}
        self._flags(data.step, data.flags)
        if not data.complete:
            why = "at its limit" if data.finish_reason == "length" else f"({data.finish_reason})"
            self._section(Text(f"The message was cut off {why}; nothing in it was run.", "yellow"))

    def _flags(self, step: int, flags: Sequence[Flag]) -> None:
        """Show the flags of a step; those that hold for every step once."""
        new = [flag for flag in flags if flag not in self._shown_flags]
        self._shown_flags |= SETTLED.intersection(new)
        if new:
            self._section(Text(one_line(f"step {step}: {describe_flags(new)}", 300), "dim yellow"))

    def _end_prose(self) -> None:
        if self._prose is None:
            return
        blocks = self._prose.end()
        if blocks:
            self._part_of_section(blocks)
        elif self._screen.live:
            self._screen.tail([])
        self._prose = None
        self._show_held()

    def _hold(self, data: EventData) -> None:
        """Draw lines beside the prose: now, or once it has ended."""
        self._held = [*self._held, *note_lines(data, None)]
        self._show_held()

    def _show_held(self) -> None:
        """Print the lines that came while prose was streaming, once nothing of it is drawn."""
        if self._prose is None or isinstance(self._prose, FoldedThought):
            held, self._held = self._held, []
            if held:
                self._screen.print(*held)

    def _part_of_section(self, blocks: Sequence[RenderableType]) -> None:
        """Print blocks of the prose; the first ones begin a section."""
        assert self._prose is not None
        if self._prose.begun:
            self._screen.print(*blocks)
        elif blocks:
            self._prose.begun = True
            self._section(*blocks)

    # What the calls do

    def _permission_request(self, data: PermissionRequest) -> None:
        """Draw the call in question, with what it would write."""
        self._end_prose()
        asked = self._asked.get(data.call_id)
        if asked is not None:
            self._in_question = data.call_id
            self._section(*proposed_call(asked, fold=self.fold))
        by = f"the rule {data.rule}" if data.rule else f"the mode {data.mode}"
        self._screen.print(Text(BAR + one_line(f"asked by {by}", 200), "yellow"))

    def _call(self, data: ToolCall) -> None:
        self._end_prose()
        self._calls[data.call_id] = data
        if data.call_id != self._in_question:
            self._section(*render_call(data, fold=self.fold))
        if not data.approval.allowed:
            said = f": {data.approval.words}" if data.approval.words else ""
            self._screen.print(Text(BAR + one_line(f"not allowed{said}", 200), "yellow"))

    def _output(self, piece: LiveOutput) -> None:
        if not self._screen.live:
            return
        output = self._outputs.setdefault(piece.call_id, GrowingOutput(self._screen.width))
        output.feed(piece.text)
        self._screen.tail(output.tail())

    def _observation(self, data: Observation) -> None:
        call = self._calls.pop(data.call_id, None)
        output = self._outputs.pop(data.call_id, None)
        width = self._screen.width if self._screen.live else None
        lines = render_observation(data, width, fold=self.fold)
        if call is None:
            asked = self._asked.get(data.call_id)
            arguments = one_line(asked.arguments, 200) if asked else ""
            label = f"  ┌ {one_line(data.name, 40)} {arguments}".rstrip()
            lines = [Text(label, style="cyan"), *lines]
        self._in_question = None
        if output is not None and data.error == "interrupted":
            lines = [*(Text(row, "dim") for _, row in output.tail()), *lines]
        self._screen.print(*lines)
        running = next(reversed(self._outputs.values()), None)
        if running is not None:
            self._screen.tail(running.tail())

    def _human_command(self, data: HumanCommand) -> None:
        """Draw a command of the human instead of the tail that showed it running."""
        self._outputs.clear()
        if self._screen.live:
            self._screen.tail([])
        self._section(*note_lines(data, None))

    def _network_request(self, data: NetworkRequest) -> None:
        """Draw refused network requests while calls run, once for each host and reason."""
        text = f"network: {data.host}:{data.port} {data.reason.replace('_', ' ')}"
        if self._calls and data.reason and text not in self._refused:
            self._refused.add(text)
            self._screen.print(Text(BAR + one_line(text, 200), "dim"))

    def _section(self, *lines: RenderableType) -> None:
        """Print lines after an empty one."""
        if not lines:
            return
        gap = [] if self._fresh else [Text("")]
        self._fresh = False
        self._screen.print(*gap, *lines)
