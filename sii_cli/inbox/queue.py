"""The order in which one person is given the sessions that wait, shared by leases."""

from __future__ import annotations

import os
from typing import Self

from recordings.index.find import Filter
from sii_cli.config.settings import find_key_home
from sii_cli.inbox.waiting import WaitingSession, find_waiting
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item, Leases
from sii_cli.queue.order import QueueEntry, in_order

REPLY = "reply"
"""Kind of the leases on sessions that wait for a reply."""


class InboxQueue:
    """The sessions that wait for one person; a context manager.

    A lease is only a promise that nobody else is shown the same session meanwhile: of two replies
    the recording takes the first (`record_reply`).
    """

    def __init__(self, person: str, where: Filter) -> None:
        """`where`: only those that pass this filter. Raises `SiiError`."""
        home = find_key_home(os.environ)
        self._person, self._where = person, where
        self._leases = Leases(home)
        self.drafts = Drafts(home, person)
        self.waiting: list[WaitingSession] = []
        """Those that wait for a reply, in the person's order, as far as `look` found them."""
        self.replied: list[WaitingSession] = []
        """Those that go on by themselves."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leases.close()

    def find(self) -> list[WaitingSession]:
        """Return all sessions that nobody has ended. Blocks. Raises `SiiError`."""
        return find_waiting(self._where)

    def sort(self, found: list[WaitingSession]) -> None:
        """Take what was found, in the person's order."""
        self.replied = [one for one in found if one.has_reply]
        entries = [
            QueueEntry(one.id, one, cohort=number)
            for number, one in enumerate(one for one in found if not one.has_reply)
        ]
        held, skipped = self._leases.held(REPLY), self._leases.skipped(REPLY, self._person)
        in_turn = in_order(entries, self._person, held=held, skipped=skipped)
        self.waiting = [entry.work for entry in in_turn]

    def take(self, waiting: WaitingSession) -> bool:
        """Take a session, or keep it; return whether nobody else has it."""
        return self._leases.take(_item(waiting), self._person)

    def next(self, without: frozenset[str] = frozenset()) -> WaitingSession | None:
        """Take the first session that nobody else has, but those with these ids."""
        free = (one for one in self.waiting if one.id not in without)
        return next(filter(self.take, free), None)

    def release(self, waiting: WaitingSession) -> None:
        """Give a session back: it keeps its place."""
        self._leases.release(_item(waiting), self._person)

    def skip(self, waiting: WaitingSession) -> None:
        """Put a session at the end of the person's queue; others may take it."""
        self._leases.skip(_item(waiting), self._person)

    def held_by(self) -> dict[str, tuple[str, ...]]:
        """Return who reads which session now, by its id."""
        return self._leases.held(REPLY)

    # What is typed and not sent yet

    def draft(self, waiting: WaitingSession, sha256: str) -> str:
        """Return what the person was typing, for a session with this content."""
        kept = self.drafts.load(_item(waiting), sha256)
        return str(kept.get("text", "")) if kept else ""

    def keep_draft(self, waiting: WaitingSession, sha256: str, text: str) -> None:
        """Keep what the person is typing. Raises `RecordingFailed`."""
        if text:
            self.drafts.save(_item(waiting), sha256, {"text": text})
        else:
            self.drafts.remove(_item(waiting))


def _item(waiting: WaitingSession) -> Item:
    return Item(REPLY, waiting.id)
