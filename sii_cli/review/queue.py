"""The review queue: which recording a reviewer is given next, and what happens to it then."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from recordings.errors import RecordingError
from recordings.reviews.approval import verdicts_needed
from sii_cli.config.settings import find_key_home
from sii_cli.options.filters import open_indexes
from sii_cli.options.recordings import warn
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item, Leases
from sii_cli.queue.order import QueueEntry, in_order, mixed
from sii_cli.review.verdicts import give_review, sent_words

if TYPE_CHECKING:
    from recordings.index.find import Filter, FoundRecording
    from recordings.reviews.approval import ApprovalState
    from recordings.reviews.protocol import ReviewProtocol
    from recordings.reviews.review import Said

REVIEW = "review"
"""Kind of the leases on recordings that are reviewed."""
EVERYBODY = 1000
"""Verdicts that gold is to have: no reviewer is left out."""
_FRESH = 30.0
"""Seconds after which the recordings are looked for again."""
_NOT_READY = frozenset({"open", "damaged", "newer"})
"""States of recordings that cannot be judged."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A recording that waits for the reviewer."""

    folder: Path
    wanted: int
    """Verdicts that it is to have."""


@dataclass(frozen=True, slots=True)
class QueuedRecording:
    """A recording that a reviewer holds."""

    folder: Path
    sha256: str
    """The hash of what is to be judged."""
    left: int
    """Recordings in the reviewer's queue, with this one."""

    @property
    def item(self) -> Item:
        """What the lease and the draft are on."""
        return Item(REVIEW, self.folder.name)


class ReviewQueue:
    """The recordings that wait for one reviewer; a context manager.

    What is in the queue follows from the reviews beside the recordings. A lease is only a promise
    that nobody else is given the same place meanwhile.
    """

    def __init__(
        self, reviewer: str, protocol: ReviewProtocol, where: Filter | None = None
    ) -> None:
        """`where`: only those that pass this filter. Raises `SiiError`."""
        home = find_key_home(os.environ)
        self._reviewer = reviewer
        self._protocol = protocol
        self._where = where
        self._leases = Leases(home)
        self.drafts = Drafts(home, reviewer)
        self._entries: list[QueueEntry[_Waiting]] = []
        self._found_at = float("-inf")
        self._given = 0
        """Recordings that the reviewer has judged."""
        self.last_sent = ""
        """What was sent last, in words; empty before."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leases.close()

    def __len__(self) -> int:
        """Return how many recordings wait for the reviewer."""
        self._look()
        return len(self._entries)

    def next(self) -> QueuedRecording | None:
        """Return the next recording, which the reviewer holds then, or `None` when none waits.

        One that the reviewer holds already comes first; one that cannot be read is left out, with a
        warning. Raises `SiiError`.
        """
        self._look()
        return self._take() or (self._take() if self._look(again=True) else None)

    def heartbeat(self, one: QueuedRecording) -> bool:
        """Keep a recording; return whether it is still held. The draft stays in any case."""
        return self._leases.heartbeat(one.item, self._reviewer)

    def skip(self, one: QueuedRecording) -> None:
        """Put a recording at the end of the reviewer's queue; others may take it."""
        self._leases.skip(one.item, self._reviewer)

    def release(self, one: QueuedRecording) -> None:
        """Give a recording back: it keeps its place in the reviewer's queue."""
        self._leases.release(one.item, self._reviewer)

    def send(self, one: QueuedRecording, **said: Unpack[Said]) -> None:
        """Keep the review, say where the recording stands, and let go of it and of its draft.

        Raises `SiiError`, `UsageError`, `RecordingError`; then nothing is lost.
        """
        give_review(one.folder, self._reviewer, one.sha256, **said)
        self.drafts.remove(one.item)
        self._leases.release(one.item, self._reviewer)
        self._leave(one.folder)
        self._given += 1
        self.last_sent = sent_words(said)

    def _take(self) -> QueuedRecording | None:
        for entry in self._ordered():
            item, waiting = Item(REVIEW, entry.id), entry.work
            if not self._leases.take(item, self._reviewer, entry.places):
                continue
            # A verdict may have been given since the index was read: the files decide.
            try:
                sha256, places = self._now(waiting)
            except RecordingError as error:  # it costs the others nothing
                warn(str(error))
                sha256, places = "", 0
            if places and self._leases.take(item, self._reviewer, places):
                return QueuedRecording(waiting.folder, sha256, len(self._entries))
            self._leases.release(item, self._reviewer)
            if not places:
                self._leave(waiting.folder)
        return None

    def _ordered(self) -> Iterator[QueueEntry[_Waiting]]:
        """Yield what waits, in order; only as much is sorted as is asked for."""
        held, skipped = self._leases.held(REVIEW), self._leases.skipped(REVIEW, self._reviewer)
        mine = {name for name, holders in held.items() if self._reviewer in holders}
        own, gold, others = (list[QueueEntry[_Waiting]]() for _ in range(3))
        for one in self._entries:
            kind = own if one.id in mine else gold if one.work.wanted == EVERYBODY else others
            kind.append(one)
        order = partial(in_order, person=self._reviewer, held=held, skipped=skipped)
        yield from order(own)
        yield from mixed(order(others), order(gold), self._protocol.gold_share, self._given)

    def _look(self, *, again: bool = False) -> bool:
        """Look for recordings, if that was long ago or is asked for; return whether it was done."""
        now = time.monotonic()
        if not again and now < self._found_at + _FRESH:
            return False
        self._entries = list(self._waiting())
        self._found_at = now
        return True

    def _leave(self, folder: Path) -> None:
        self._entries = [
            one for one in self._entries if one.id != folder.name or one.work.folder != folder
        ]

    def _waiting(self) -> Iterator[QueueEntry[_Waiting]]:
        """Yield the recordings that wait for the reviewer, as the index knows them."""
        from recordings.index.find import Filter, find_in

        if not self._protocol.may_review(self._reviewer):
            return
        where = self._where or Filter()
        mine = replace(where, judge=self._reviewer, unjudged_by=self._reviewer)
        with open_indexes() as indexes:
            found = find_in(indexes, mine, ascending=True, protocol=self._protocol)
            size = self._protocol.cohort
            every = find_in(indexes, ascending=True) if size else []
            if self._protocol.gold:
                self._given = len(find_in(indexes, Filter(reviewer=self._reviewer)))
        cohorts = {one.summary.folder: number // size for number, one in enumerate(every) if size}
        for one in found:
            folder, wanted = one.summary.folder, self._wanted(one)
            if places := self._places(wanted, one.approval, one.counted, one.missing):
                work = _Waiting(folder, wanted)
                yield QueueEntry(folder.name, work, places, cohorts.get(folder, 0))

    def _wanted(self, one: FoundRecording) -> int:
        """Return how many verdicts a recording is to have, as the index knows it."""
        from recordings.index.doubts import is_risky, reasons_of
        from recordings.reviews.opinions import is_in_share
        from recordings.reviews.reviews import PASSED_OVER

        protocol, name = self._protocol, one.summary.id
        if (
            PASSED_OVER in one.tags
            or one.summary.state in _NOT_READY
            or (name not in protocol.gold and reasons_of(one, protocol))
        ):
            return 0
        if name in protocol.gold and not self._decides:
            return EVERYBODY
        is_read_again = is_in_share(name, protocol.second_read) or (
            protocol.second_read_by_risk and is_risky(one)
        )
        return verdicts_needed(protocol) + is_read_again

    def _places(self, wanted: int, approval: ApprovalState, counted: int, missing: int) -> int:
        """Return how many people a recording waits for; one that is decided waits for nobody."""
        if self._decides:
            return int(wanted > 0 and approval == "disputed")
        is_decided = not missing and counted < verdicts_needed(self._protocol)
        if wanted < EVERYBODY and (is_decided or (not missing and approval == "disputed")):
            return 0
        return max(0, wanted - counted)

    @property
    def _decides(self) -> bool:
        """Whether the reviewer is given only what others differ on."""
        protocol = self._protocol
        return protocol.policy == "adjudicated" and self._reviewer in protocol.adjudicators

    def _now(self, waiting: _Waiting) -> tuple[str, int]:
        """Return a recording's hash, and how many people it waits for if the reviewer may be one.

        Raises `RecordingError`.
        """
        from recordings.conversation.authors import authors_of
        from recordings.reviews.approval import standing
        from recordings.reviews.reviews import counted_reviews
        from recordings.storage.log import recording_hash
        from sii_cli.config.home_key import review_keys

        folder = waiting.folder
        sha256, authors = recording_hash(folder), authors_of(folder)
        reviews = counted_reviews(folder, review_keys(folder))
        stands = standing(reviews, sha256, self._protocol, authors)
        if self._reviewer in stands.verdicts or self._reviewer in authors:
            return sha256, 0
        counted = len(stands.verdicts)
        return sha256, self._places(waiting.wanted, stands.state, counted, stands.missing)
