"""The inbox of a session: what comes from outside waits here for the next step boundary."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from recordings.conversation.pending import Pending, PendingTrail
from recordings.events import (
    AttachedFile,
    Delivery,
    Event,
    EventData,
    HarnessMessage,
    Mention,
    Neutralised,
    Origin,
    PendingMessage,
    PendingReturned,
    UserMessage,
)
from sii_cli.model.control_tokens import Neutralisation

FindMentions = Callable[[str], Sequence[Mention]]
"""Returns what of the workspace a text names."""
Note = Callable[[EventData, Origin], Event]


def no_mentions(text: str) -> Sequence[Mention]:
    """Find nothing."""
    return ()


class Inbox:
    """Messages of the user and of the harness that wait; each is delivered once.

    A user's message is recorded before `add` returns. A message of the harness is recorded when it
    is delivered.
    """

    def __init__(
        self,
        note: Note,
        neutralisation: Neutralisation,
        trail: PendingTrail,
        speaker: str | None = None,
        mentions: FindMentions = no_mentions,
    ) -> None:
        """`note` records an event for the model; `trail` is fed with every event. `mentions` finds
        what a message of the human names.
        """
        self._mentions = mentions
        self._note = note
        self._neutralisation = neutralisation
        self._trail = trail
        self.speaker = speaker
        """The human at the prompt."""
        self._holds = False
        self._held: list[Pending] = []
        """The user's messages that wait and are not recorded."""
        self._notes: list[tuple[HarnessMessage | AttachedFile, Origin]] = []
        self.returned: list[Pending] = []
        """Messages that a round without an answer returned; the reader takes them out."""

    @property
    def waiting(self) -> list[Pending]:
        """The user's messages that wait, in the order in which they were typed."""
        return [*self._trail.all(), *self._held]

    def hold(self) -> None:
        """Record nothing of what the user sends from here on."""
        self._holds = True

    def add(self, text: str, delivery: Delivery) -> Pending:
        """Record a message of the user, and let it wait. Raises `RecordingFailed`."""
        if self._holds:
            self._held.append(Pending(text, delivery, time.time()))
            return self._held[-1]
        data = PendingMessage(text=text, delivery=delivery, speaker=self.speaker)
        event = self._note(data, "human")
        return next(one for one in self.waiting if one.seq == event.seq)

    def add_note(self, message: HarnessMessage) -> None:
        """Let a message of the harness wait."""
        self._notes.append((message, "harness"))

    def attach(self, file: AttachedFile) -> None:
        """Let a file wait that the user attached to the next message."""
        text, found = self._neutralisation.apply(file.text)
        neutralised = [Neutralised(token=token, count=count) for token, count in found]
        changed = file.model_copy(update={"text": text, "neutralised": neutralised})
        self._notes.append((changed, "attachment"))

    def take_over(self, before: Inbox) -> None:
        """Take what waits in another inbox of the same recording."""
        self._notes, before._notes = before._notes, []
        self.returned, before.returned = before.returned, []

    def take_back(self, pending: Pending) -> bool:
        """Give a message back to the user; return whether it still waited."""
        if pending not in self.waiting:
            return False
        if pending in self._held:
            self._held.remove(pending)
            return True
        self._note(PendingReturned(pending=_seqs([pending]), why="taken_back"), "human")
        return True

    def deliver_steers(self, number: int) -> None:
        """Deliver the messages that steer round `number`."""
        for one in self._steers():
            self._note(self.message(number, one.text, "human", one), "human")

    def deliver_notes(self) -> None:
        """Deliver the messages of the harness, and attached files."""
        while self._notes:
            self._note(*self._notes.pop(0))

    def next_round(self) -> Pending | None:
        """Return the steer that the answer came before: it begins the next round."""
        return next(iter(self._steers()), None)

    def _steers(self) -> list[Pending]:
        return [one for one in self.waiting if one.delivery == "steer"]

    def leave_out(self) -> None:
        """Let nothing wait that another person typed: the user has not said it."""
        if waiting := self.waiting:
            self._note(PendingReturned(pending=_seqs(waiting), why="round_ended"), "harness")

    def give_back(self) -> None:
        """Give the user all that waits back: the round ended without an answer."""
        if waiting := self.waiting:
            self._note(PendingReturned(pending=_seqs(waiting), why="round_ended"), "harness")
            self.returned += waiting
            self._held = []

    def message(
        self,
        number: int,
        text: str,
        origin: Origin,
        pending: Pending | None = None,
        typed: str | None = None,
    ) -> UserMessage:
        """Return the message with this text, of round `number`; `typed` is what it was made of."""
        sent, found = self._neutralisation.apply(text)
        speaker = (pending.speaker if pending else None) or self.speaker  # who typed it
        self._held = [one for one in self._held if one is not pending]
        return UserMessage(
            round=number,
            text=text,
            sent=sent if found else None,
            neutralised=[Neutralised(token=token, count=count) for token, count in found],
            speaker=speaker if origin == "human" else None,
            delivery=pending.delivery if pending else None,
            typed_at=round(pending.typed_at, 6) if pending else None,
            pending=pending.seq if pending else None,
            typed=typed,
            mentions=list(self._mentions(text)) or None if origin == "human" else None,
        )


def _seqs(pending: list[Pending]) -> list[int]:
    return [one.seq for one in pending if one.seq is not None]
