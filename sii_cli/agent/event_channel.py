"""The event channel: what happens is recorded, then shown, so recording and screen agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from recordings.conversation.logprobs import encode_logprobs
from recordings.events import BlobRef, Event, EventData, LiveDelta, LiveOutput, Origin

if TYPE_CHECKING:
    from recordings.recorder import Recorder

Item = Event | LiveDelta | LiveOutput
"""What is shown: recorded events, and live pieces of text, which are recorded coalesced."""


AT_ONCE = 500
"""Characters of streamed text that are shown at a time: a server may send megabytes at once."""
TURN = 0.02
"""Seconds for which a reader gets items before other tasks of the event loop run."""


class EventChannel:
    """Carries what happens to the recording and to its reader."""

    def __init__(
        self, recorder: Recorder, follow: Callable[[Event], None] = lambda event: None
    ) -> None:
        """`follow` is called with every event once it is recorded."""
        self._recorder = recorder
        self._follow = follow
        self._items: asyncio.Queue[Item | None] = asyncio.Queue()
        self._began = 0.0

    def note(self, data: EventData, origin: Origin, *, sync: bool = True) -> Event:
        """Record an event and show it; without `sync` it is synced with the next one.

        Raises `RecordingFailed` when it cannot be written.
        """
        event = self._recorder.record(data, origin, sync=sync)
        self._follow(event)
        self._items.put_nowait(event)
        return event

    def show(self, piece: LiveOutput) -> None:
        """Show a piece that is not recorded."""
        self._items.put_nowait(piece)

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
        """Keep bytes as a blob beside the log; `None` stays `None`."""
        return None if data is None else self._recorder.put_blob(data)

    def keep_logprobs(self, values: Sequence[float]) -> BlobRef:
        """Keep log probabilities as a blob beside the log."""
        return self._recorder.put_blob(encode_logprobs(values), is_text=False)

    def stop_recording(self) -> None:
        """Only show what happens from here on. Raises `RecordingFailed`."""
        self._recorder.stop()

    def end(self) -> None:
        """Let the reader know that the round is over."""
        self._items.put_nowait(None)

    def skip_round(self) -> None:
        """Drop what was not read of a round that is over."""
        while self._items.get_nowait() is not None:
            pass

    async def next(self) -> Item | None:
        """Wait for the next item; `None` at the end of a round."""
        if self._items.empty():
            item = await self._items.get()
            self._began = time.monotonic()
            return item
        if time.monotonic() - self._began > TURN:
            await asyncio.sleep(0)
            self._began = time.monotonic()
        return self._items.get_nowait()
