"""The wire: what happens is recorded, then shown; recording and screen see the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from recordings.events import BlobRef, Event, EventData, LiveDelta, LiveOutput, Origin

if TYPE_CHECKING:
    from recordings.recorder import Recorder

Item = Event | LiveDelta | LiveOutput
"""What flows to a screen: recorded events, and live pieces that are recorded coalesced."""


AT_ONCE = 500
"""Characters of streamed text that are shown at a time: a server may send megabytes at once."""
TURN = 0.02
"""Seconds for which a watcher takes items before everything else in the loop gets its turn."""


class EventChannel:
    """Carries what happens to the recording and to whoever watches."""

    def __init__(
        self, recorder: Recorder, follow: Callable[[Event], None] = lambda event: None
    ) -> None:
        """`follow` is told of every event once it is recorded."""
        self._recorder = recorder
        self._follow = follow
        self._items: asyncio.Queue[Item | None] = asyncio.Queue()
        self._turn_began = 0.0

    def note(self, data: EventData, origin: Origin, *, sync: bool = True) -> Event:
        """Record an event and show it; without `sync` it is on the disk with the next one.

        Raises `RecordingFailed` when it cannot be kept.
        """
        event = self._recorder.record(data, origin, sync=sync)
        self._follow(event)
        self._items.put_nowait(event)
        return event

    def live(self, piece: LiveDelta | LiveOutput) -> None:
        """Show a piece of streamed text; it is recorded coalesced."""
        self._recorder.live(piece)
        if len(piece.text) <= AT_ONCE:
            self._items.put_nowait(piece)
            return
        for start in range(0, len(piece.text), AT_ONCE):
            text = piece.text[start : start + AT_ONCE]
            self._items.put_nowait(replace(piece, text=text))

    def keep(self, data: bytes | None) -> BlobRef | None:
        """Keep bytes beside the log; none stays none."""
        return None if data is None else self._recorder.put_blob(data)

    def end(self) -> None:
        """Tell the watcher that a round is over."""
        self._items.put_nowait(None)

    def skip_round(self) -> None:
        """Forget what was not watched of a round that is over."""
        while self._items.get_nowait() is not None:
            pass

    async def next(self) -> Item | None:
        """Wait for the next item; none at the end of a round."""
        if self._items.empty():
            item = await self._items.get()
            self._turn_began = time.monotonic()
            return item
        if time.monotonic() - self._turn_began > TURN:
            await asyncio.sleep(0)
            self._turn_began = time.monotonic()
        return self._items.get_nowait()
