"""The rows that a recording's last events drew: what is on the screen at a position."""

from __future__ import annotations

from recordings.events import Event, Observation, ToolCall
from recordings.replay.timeline import shown
from recordings.storage.line_index import STEP, LineIndex
from sii_cli.agent.event_channel import Item
from sii_cli.render.bounded import bounded
from sii_cli.render.call_order import CallOrder
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.row_screen import RowScreen

BACK_LINES = 400
BACK_BYTES = 512 << 10
"""How far back events are drawn again after a jump: lines of the recording, and bytes."""
FOLDED = "… +"
"""Marks what is folded (`render.calls`, `render.observations`)."""


class DrawnRows:
    """The rows on the screen after a number of events."""

    def __init__(self, index: LineIndex) -> None:
        self._index = index
        self._opened: set[int] = set()
        """Events whose folded output is shown whole."""
        self.foldable: list[tuple[int, int]] = []
        """(event, its first row) of what is folded, or was and is open."""
        self.screen = RowScreen(80)
        self._renderer = EventRenderer(self.screen)
        self._order = CallOrder()

    def rebuild(self, upto: int, width: int) -> None:
        """Draw the rows after the first `upto` events again."""
        self.screen = RowScreen(width)
        self._renderer = EventRenderer(self.screen)
        self._order = CallOrder()
        self.foldable = []
        for event in self._index.events(self._anchor(upto), upto):
            for _, item in shown(event):
                self.feed(item)

    def feed(self, item: Item) -> None:
        """Draw one more item, and what waited for it."""
        for each in self._order.feed(item):
            self._draw(each)

    def _draw(self, item: Item) -> None:
        if not isinstance(item, Event) or not isinstance(item.data, Observation | ToolCall):
            self._renderer.feed(item)
            return
        opened = item.seq in self._opened
        first = self.screen.dropped + len(self.screen.rows)
        self._renderer.fold = not opened
        self._renderer.feed(bounded(item) if opened else item)
        self._renderer.fold = True
        new = self.screen.rows[first - self.screen.dropped :]
        if opened or any(FOLDED in row for row in new):
            self.foldable.append((item.seq, first))

    def toggle(self, seq: int) -> None:
        """Open what is folded, or fold it again, from the next drawing on."""
        self._opened ^= {seq}

    def _anchor(self, upto: int) -> int:
        """Return where to begin: at a step's start, far enough back to fill a screen and more."""
        size, number = 0, upto
        while number > 0 and upto - number < BACK_LINES and size < BACK_BYTES:
            number -= 1
            size += self._index.size(number)
        begin = self._index.find(STEP, number, back=True)
        return begin if begin is not None and number - begin < BACK_LINES else number
