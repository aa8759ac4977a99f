"""The position in a recording and the pace: what the keys of the player do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from recordings.replay.timeline import shown
from recordings.storage.line_index import SHOWN, LineIndex
from sii_cli.agent.event_channel import Item
from sii_cli.player.drawn_rows import DrawnRows

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_CHECK_EVERY = 0.02
"""Seconds between checks of an index that still grows."""


class Player:
    """Plays a recording as rows. `changed` is called when there is something to draw."""

    def __init__(self, index: LineIndex, changed: Callable[[], None], speed: float = 1.0) -> None:
        self.index = index
        self.drawn = DrawnRows(index)
        self.speed = speed
        self.position = 0
        """Events that were shown, the one that is being shown included."""
        self.width = 80
        self.seconds = 0.0
        """Of the replay so far."""
        self.said = ""
        """A sentence about what a key could not do."""
        self.fault: BaseException | None = None
        """The error that ended the playing, reported when the player is left."""
        self._changed = changed
        self._pending: deque[tuple[float, Item]] = deque()
        """What is left of the event that is being shown: (seconds of its clock, item)."""
        self._mono = 0.0
        self._playing: asyncio.Task[None] | None = None
        self._looking: asyncio.TimerHandle | None = None

    @property
    def playing(self) -> bool:
        """Whether the clock runs."""
        return self._playing is not None

    @property
    def ended(self) -> bool:
        """Whether everything was shown."""
        return self.index.complete and self.position >= len(self.index) and not self._pending

    def play(self) -> None:
        """Start the clock."""
        if self._playing is None and not self.ended:
            self._playing = asyncio.create_task(self._play())
            self._playing.add_done_callback(self._stopped)

    def pause(self) -> None:
        """Stop where it is."""
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def faster(self, times: int) -> None:
        """Choose a pace of `SPEEDS`, so many further on."""
        nearest = min(range(len(SPEEDS)), key=lambda at: abs(SPEEDS[at] - self.speed))
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, nearest + times))]
        self._again()

    def jump(self, mark: int, *, back: bool = False) -> None:
        """Go to the next event with a mark, or back; `said` reports that there is none."""
        self._stop_looking()
        start = self._last_shown() - 1 if back else self.position
        found = self.index.find(mark, start, back=back)
        if found is not None:
            self._go(found + 1)
        elif back or self.index.complete:
            self.said = "there is none before" if back else "there is none after"
        else:
            self._look_for(lambda: self.jump(mark))

    def step(self) -> None:
        """Show the next event that a reader sees."""
        self.jump(SHOWN)

    def step_back(self) -> None:
        """Take back the last event that a reader sees."""
        last = self._last_shown()
        found = self.index.find(SHOWN, last - 1, back=True) if last > 0 else None
        self._go(0 if found is None else found + 1)

    def seek(self, part: float) -> None:
        """Go to a part (0 to 1) of the time that is known."""
        self._go(self.index.at(part * self.total) if part > 0 else 0)

    def end(self) -> None:
        """Go to the end."""
        self._stop_looking()
        if self.index.complete:
            self._go(len(self.index))
        else:
            self._look_for(self.end)

    def redraw(self, width: int) -> None:
        """Draw the rows again, in so many columns."""
        self.width = width
        self._pending.clear()
        self.drawn.rebuild(self.position, width)

    @property
    def total(self) -> float:
        """Seconds of the recording, as far as it was read."""
        return self.index.times[len(self.index) - 1] if len(self.index) else 0.0

    def _go(self, upto: int) -> None:
        self._stop_looking()
        was_playing = self.playing
        self.pause()
        self.position, self.said = upto, ""
        self.seconds = self.index.times[upto - 1] if upto else 0.0
        self.redraw(self.width)
        if was_playing:
            self.play()
        self._changed()

    def _again(self) -> None:
        """Have a change of the pace count from now on."""
        if self.playing:
            self.pause()
            self.play()

    def _last_shown(self) -> int:
        found = self.index.find(SHOWN, self.position - 1, back=True) if self.position else None
        return -1 if found is None else found

    def _look_for(self, again: Callable[[], None]) -> None:
        """Try again once more of the recording was read."""
        self.said = "reading on …"
        self._looking = asyncio.get_running_loop().call_later(_CHECK_EVERY, again)

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _play(self) -> None:
        while await self._load():
            mono, item = self._pending[0]
            wait = max(0.0, mono - self._mono)
            if wait:
                await self._wait(wait)
            self._pending.popleft()
            self._mono = mono
            self.drawn.feed(item)
            self._changed()

    async def _load(self) -> bool:
        """Have something pending; tells whether there is."""
        while not self._pending:
            if self.position >= len(self.index):
                if self.index.complete:
                    return False
                await asyncio.sleep(_CHECK_EVERY)
                continue
            event = self.index.event(self.position)
            self.seconds = self.index.times[self.position - 1] if self.position else 0.0
            pause = self.index.times[self.position] - self.seconds
            self._mono = event.mono - pause
            self._pending.extend(shown(event))
            self.position += 1
            await asyncio.sleep(0)
        return True

    async def _wait(self, seconds: float) -> None:
        """Wait at the pace; what was waited for stays waited for when it is stopped."""
        loop = asyncio.get_running_loop()
        begun, before = loop.time(), self.seconds
        try:
            while (left := seconds - (loop.time() - begun) * self.speed) > 0:
                await asyncio.sleep(min(left / self.speed, 0.25))
                self.seconds = before + min(seconds, (loop.time() - begun) * self.speed)
                self._changed()
        finally:
            passed = min(seconds, (loop.time() - begun) * self.speed)
            self._mono += passed
            self.seconds = before + passed

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if self._playing is task:
            self._playing = None
        self._changed()
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.fault = fault
