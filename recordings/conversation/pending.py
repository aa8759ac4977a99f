"""Messages of the user that wait to be delivered: found in the events, so a kill loses none."""

from __future__ import annotations

from dataclasses import dataclass

from recordings.events import Delivery, Event, PendingMessage, PendingReturned, UserMessage


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that waits."""

    text: str
    delivery: Delivery
    typed_at: float
    """Seconds since the epoch."""
    seq: int | None = None
    """Its `pending_message`; `None` where it was typed before there was a recording."""
    speaker: str | None = None


class PendingTrail:
    """What waits after each event of a session."""

    def __init__(self) -> None:
        self._waiting: dict[int, Pending] = {}
        self.returned: list[Pending] = []
        """What the last round returned to the user because it ended without an answer."""

    def feed(self, event: Event) -> None:
        """Take account of an event: what waits in a fork's parent does not wait in the fork."""
        if event.parent is not None:
            self._waiting.clear()
            self.returned.clear()
        match event.data:
            case PendingMessage() as data:
                self._waiting[event.seq] = Pending(
                    data.text, data.delivery, event.wall, event.seq, data.speaker
                )
            case UserMessage(pending=seq):
                self.returned.clear()
                if seq is not None:
                    self._waiting.pop(seq, None)
            case PendingReturned(pending=seqs, why=why):
                found = [self._waiting.pop(seq) for seq in seqs if seq in self._waiting]
                self.returned += found if why == "round_ended" else []

    def all(self) -> list[Pending]:
        """Return all of them, in the order in which they were typed."""
        return list(self._waiting.values())
