"""What the index knows of reviews: the standing of each recording under a protocol."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from recordings.reviews.approval import Standing, Verdict, standing, verdicts_needed
from recordings.reviews.blind import Viewer
from recordings.reviews.protocol import ReviewProtocol, Role


class _Review(NamedTuple):
    """A row of `verdicts`."""

    reviewer: str
    role: Role | None
    time: float
    sha256: str
    verdict: Verdict


class Approvals:
    """The verdicts on recordings and the recordings' authors, judged by a protocol."""

    def __init__(
        self,
        db: sqlite3.Connection,
        protocol: ReviewProtocol,
        number: int | None = None,
        viewer: Viewer | None = None,
    ) -> None:
        """`number`: of one recording; without it those of all are read. `viewer`: the person from
        whom verdicts may be hidden.
        """
        self._viewer = viewer
        self._protocol = protocol
        self.needed = verdicts_needed(protocol)
        """Verdicts that a recording needs which nobody has judged."""
        self._reviews: dict[int, list[_Review]] = {}
        self._authors: dict[int, list[str]] = {}
        which, values = ("", ()) if number is None else ("WHERE v.number = ?", (number,))
        rows = db.execute(f"SELECT * FROM verdicts v {which} ORDER BY time, reviewer", values)
        for one, name, role, *facts in rows:
            self._reviews.setdefault(one, []).append(_Review(name, role or None, *facts))
        # Of the authors only those matter who judged.
        judges = f"verdicts v JOIN authors a ON a.number = v.number AND a.name = v.reviewer {which}"
        for one, name in db.execute(f"SELECT a.number, a.name FROM {judges}", values):
            self._authors.setdefault(one, []).append(name)

    def standing(self, number: int, sha256: str) -> Standing | None:
        """Return the standing of a recording with this hash, or `None` where nobody judged it."""
        reviews = self._seen(number, sha256)
        if not reviews:
            return None
        return standing(reviews, sha256, self._protocol, self._authors.get(number, ()))

    def reviewers(self, number: int, sha256: str) -> tuple[str, ...]:
        """Return those who gave a verdict on a recording, whether it counts or not."""
        return tuple({one.reviewer: None for one in self._seen(number, sha256)})

    def is_blind(self, number: int, sha256: str) -> bool:
        """Return whether what others said of a recording is hidden."""
        reviews = self._reviews.get(number, ())
        return self._viewer is not None and self._viewer.is_blind(reviews, sha256)

    def hides_check(self, number: int, sha256: str) -> bool:
        """Return whether what the check said of a recording is hidden."""
        reviews = self._reviews.get(number, ())
        return self._viewer is not None and self._viewer.hides_check(reviews, sha256)

    def _seen(self, number: int, sha256: str) -> Sequence[_Review]:
        reviews = self._reviews.get(number, ())
        if self._viewer is None or not reviews:
            return reviews
        return self._viewer.seen(reviews, sha256)
