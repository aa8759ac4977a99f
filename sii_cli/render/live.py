"""A session on a screen without an input line: its items, and below them what runs now."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from sii_cli.agent.event_channel import Item
from sii_cli.render.activity import Activity
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.screen import TerminalScreen, open_screen


class LiveRenderer:
    """Draws items as they come; `tick` every `activity.FRAME` seconds keeps the spinner true."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = open_screen(stream)
        self._renderer = EventRenderer(self._screen)
        self._activity = Activity(clock)

    def feed(self, item: Item) -> None:
        """Draw one item."""
        self._renderer.feed(item)
        self._activity.feed(item)
        self.tick()

    def tick(self) -> None:
        """Draw the spinner again."""
        if isinstance(self._screen, TerminalScreen):
            self._screen.foot(self._activity.line())

    def finish(self) -> None:
        """Leave finished lines alone on the screen."""
        self._activity.end()
        self._renderer.finish()
        self.tick()
