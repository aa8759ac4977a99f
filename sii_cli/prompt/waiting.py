"""The input that waits: messages that steer the running round, and what is done after it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recordings.conversation.pending import Pending

STEERS, QUEUED = "after this step", "queued"


@dataclass(frozen=True, slots=True)
class QueuedInput:
    """A message or a command that is done after the running round."""

    text: str
    pending: Pending | None = None
    """The message as it is recorded, where there is a recording."""
    typed_at: float = field(default_factory=time.time)


class WaitingInput:
    """What was typed and waits, in the order in which it was typed."""

    def __init__(self) -> None:
        self._queue: deque[QueuedInput] = deque()
        self.steers: Sequence[Pending] = ()
        """Messages that the running round reads after its step; the session keeps them."""

    def __bool__(self) -> bool:
        return bool(self._queue)

    def add(self, text: str, pending: Pending | None = None) -> None:
        """Let a message or a command wait for the round's end."""
        self._queue.append(QueuedInput(text, pending))

    def next(self) -> QueuedInput:
        """Return what is to be done next, and remove it."""
        return self._queue.popleft()

    def last(self) -> QueuedInput | None:
        """Return what was typed last."""
        steers = (QueuedInput(one.text, one, one.typed_at) for one in self.steers)
        return max([*steers, *self._queue], key=lambda one: one.typed_at, default=None)

    def remove(self, taken: QueuedInput) -> None:
        """Remove what was taken back; a steer is not in the queue."""
        self._queue = deque(one for one in self._queue if one != taken)

    def remove_returned(self, returned: Sequence[Pending]) -> None:
        """Remove the messages that came back because the round ended without an answer."""
        self._queue = deque(one for one in self._queue if one.pending not in returned)

    def adopt(self, waiting: Sequence[Pending]) -> None:
        """Add the messages of a resumed session that are to be sent after its round."""
        known = {one.pending for one in self._queue}
        for pending in waiting:
            if pending.delivery == "queued" and pending not in known:
                self.add(pending.text, pending)

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what waits for what, as the screen shows it."""
        for pending in self.steers:
            yield STEERS, pending.text
        for one in self._queue:
            yield QUEUED, one.text
