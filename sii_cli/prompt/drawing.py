"""What is drawn of a session at the prompt: its items, what runs, and what sii says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from recordings.conversation.last_round import LastRound
from recordings.events import (
    Event,
    ModelChange,
    ModelError,
    ModelResponse,
    PortOpened,
    PreviewOpened,
    RoundEnd,
)
from sii_cli.agent.event_channel import Item
from sii_cli.agent.round_control import RoundOver
from sii_cli.config.homes import home_words
from sii_cli.errors import explain
from sii_cli.prompt.panel import Panel
from sii_cli.prompt.server_watch import OTHER_MODEL
from sii_cli.prompt.surface import PromptSurface
from sii_cli.render.activity import Activity
from sii_cli.render.bounded import bounded

STRIPS = (
    "The model's template dropped the reasoning of the running round when your message came; a new "
    'sample begins there. `keep_reasoning = "loop"` or `"all"` keeps it.'
)
TOO_LONG = (
    "Your next message would not fit either: Esc Esc goes back to before the one that is too long, "
    "/new begins a new session."
)
MUCH = 2_000
"""Characters of an interrupted round whose absence is said."""


class Drawing:
    """Draws the sessions of a prompt, one at a time."""

    def __init__(self, surface: PromptSurface, *, fold_thoughts: bool) -> None:
        self.activity = Activity()
        self.panel = Panel()
        self._surface = surface
        self._renderer = surface.make_renderer(fold_thoughts=fold_thoughts)
        self._is_interrupted = False
        """Whether the round that runs was interrupted."""
        self._left_out = 0
        """Characters of it that were streamed and not drawn."""
        self._told_break = False
        self._said_ports: set[tuple[int, int]] = set()
        """Jobs and ports that were said between rounds, and are events of the next one."""
        self._overflow: str | None = None
        """What the server said of a prompt that does not fit."""

    def begin_session(self) -> None:
        """Forget what another session did."""
        self.activity = Activity()
        self._said_ports.clear()
        self.panel.clear()

    async def show_last(self, last: LastRound) -> None:
        """Draw the last round of a session that is resumed."""
        for event in last.events:
            self._renderer.feed(bounded(event))
            self.panel.feed(event)
            await asyncio.sleep(0)  # so that keys are read meanwhile
        self._renderer.finish()
        self.activity.resume(last)

    def begin_round(self, what: str) -> None:
        """Say what is being waited for."""
        self.activity.begin(what)
        self._is_interrupted, self._left_out = False, 0

    def end_round(self, recorded: str | None) -> None:
        """Draw what is left; `recorded` is the session's id."""
        self.activity.end()
        self._renderer.finish()
        if self._left_out > MUCH and recorded is not None:
            printing = f"`sii show {recorded}{home_words()}`"
            self.say(f"Not all of it is drawn; {printing} prints the rest.")
        self._surface.running = ""

    def interrupt(self) -> None:
        """Show that the round is being interrupted."""
        self._is_interrupted = True
        self.activity.begin("interrupting")
        self.show_running()
        self._surface.refresh()

    async def draw(self, happening: AsyncGenerator[Item, None], lost: str = "") -> None:
        """Draw what happens; `lost` is added to the message of an error."""
        try:
            async with aclosing(happening) as items:
                async for item in items:
                    if not self._was_said(item):
                        self._draw_item(item)
                    self._tell_break(item)
                    self.activity.feed(item)
                    self._tell_remedy(item)
                    self.panel.feed(item)
                    self.show_running()
        except asyncio.CancelledError:
            self.say("Interrupted; the message was not sent (Up recalls it).", style="yellow")
            raise
        except RoundOver as over:
            self.say(f"Not done: {over.reason}.", style="yellow")
        except Exception as error:
            known = explain(error)
            if known is None:
                raise
            self.say(f"{known}{lost}", style="red")

    def _draw_item(self, item: Item) -> None:
        """Draw an item; what was streamed is left out once the round was interrupted, because a
        server may send in a moment what takes a minute to draw.
        """
        if not self._is_interrupted:
            self._renderer.feed(item)
        elif isinstance(item, Event):
            self._renderer.feed(bounded(item))
        else:
            self._left_out += len(item.text)

    def _tell_remedy(self, item: Item) -> None:
        """Say what helps where the server serves another model, or the context is too small."""
        match item:
            case Event(data=ModelError(kind="unknown_model")):
                self.say(OTHER_MODEL, style="yellow")
            case Event(data=ModelError(kind="overflow", message=message)):
                self._overflow = message
            case Event(data=RoundEnd(status="limit", reason=reason)) if reason == self._overflow:
                self.say(TOO_LONG, style="yellow")

    def _tell_break(self, item: Item) -> None:
        """Tell once that the template drops the reasoning of a round that is steered."""
        if (
            not self._told_break
            and isinstance(item, Event)
            and isinstance(item.data, ModelResponse)
            and item.data.continuity is not None
            and item.data.continuity.cause == "steer"
        ):
            self._told_break = True
            self.say(STRIPS, style="yellow")

    def say_port(self, job: int, port: int) -> None:
        """Say between rounds that a job listens on a port."""
        self._said_ports.add((job, port))
        self.say(f"Job {job} listens on port {port}: /open {port} shows it in your browser.")

    def _was_said(self, item: Item) -> bool:
        """Return whether an item was shown before its round."""
        match item:
            case Event(data=ModelChange() | PreviewOpened()):
                return True
            case Event(data=PortOpened(job=job, port=port)):
                return (job, port) in self._said_ports
            case _:
                return False

    def show_running(self) -> None:
        """Show what runs now."""
        line = self.activity.line()
        self._surface.running = f"{line}  (Esc interrupts)" if line else ""

    def say(self, *lines: str, style: str = "dim") -> None:
        """Print lines of sii."""
        self._renderer.say(lines, style)

    def say_rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print rows of a name and a text."""
        self._renderer.say_rows(rows)
