"""Where a session stands that waits for a person's replies (`sii batch --feedback human`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recordings.conversation.pending import Pending, PendingTrail
from recordings.events import (
    Consent,
    Event,
    Parked,
    PendingMessage,
    PendingReturned,
    QueryOutcome,
    RoundEnd,
    SessionEnd,
    SessionStart,
    UserMessage,
)
from recordings.storage.log import event_of, head_of, read_lines

Stage = Literal["waits", "replied", "in_round", "answered", "done"]
"""It waits for a reply; it has one that is not sent yet; a round was left open; a round has ended,
and the session was not parked after it; a person has said that it is done."""
_READ = frozenset(
    kind.type
    for kind in (
        *(SessionStart, SessionEnd, Consent, Parked, QueryOutcome),
        *(PendingMessage, PendingReturned, UserMessage, RoundEnd),
    )
)


@dataclass(frozen=True, slots=True)
class Parking:
    """A session that was parked at least once."""

    start: SessionStart
    parked: Parked
    """As it was parked last."""
    stage: Stage
    reply: Pending | None
    """The reply that was not sent yet."""
    round_end: RoundEnd | None
    end: SessionEnd | None
    """The last ones; `None` in a log that lacks them."""
    speaker: str | None
    """Who wrote the last reply."""
    replies: int
    """How many of them opened a round."""
    asked: frozenset[str]
    """Speakers whose consent is recorded."""


@dataclass(slots=True)
class _Trail:
    start: SessionStart | None = None
    round_end: RoundEnd | None = None
    end: SessionEnd | None = None
    parked: Parked | None = None
    stage: Stage = "in_round"
    pending: PendingTrail = field(default_factory=PendingTrail)
    speaker: str | None = None
    replies: int = 0
    asked: set[str] = field(default_factory=set)

    def feed(self, event: Event) -> None:
        self.pending.feed(event)
        match event.data:
            case SessionStart() as start:
                self.start = start
            case SessionEnd() as end:
                self.end = end
            case Consent(speaker=str(speaker)):
                self.asked.add(speaker)
            case Parked() as parked:
                self.parked, self.stage = parked, "waits"
            case QueryOutcome():
                self.stage = "done"
            case UserMessage():
                self.stage = "in_round"
                if event.origin == "human":
                    self.replies, self.speaker = self.replies + 1, event.data.speaker
            case RoundEnd() as round_end:
                self.stage, self.round_end = "answered", round_end


def parking_of(folder: Path) -> Parking | None:
    """Return where a session stands, or `None` for one that was never parked.

    Raises `RecordingNotFound`, `RecordingDamaged`, `RecordingTooNew`.
    """
    trail = _Trail()
    for line in read_lines(folder):
        if head_of(folder, line).type in _READ:
            trail.feed(event_of(folder, line))
    if trail.start is None or trail.parked is None:
        return None
    reply = next((one for one in trail.pending.all() if one.delivery == "queued"), None)
    return Parking(
        trail.start,
        trail.parked,
        "replied" if reply is not None and trail.stage == "waits" else trail.stage,
        reply,
        trail.round_end,
        trail.end,
        trail.speaker if reply is None else reply.speaker,
        trail.replies,
        frozenset(trail.asked),
    )


def was_parked(folder: Path) -> bool:
    """Return whether a session was parked, whatever followed. Raises as `parking_of` does."""
    return any(head_of(folder, line).type == Parked.type for line in read_lines(folder))
