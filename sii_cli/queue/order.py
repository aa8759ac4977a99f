"""The order in which a person is given the items of a queue."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Work = TypeVar("Work")


@dataclass(frozen=True, slots=True)
class QueueEntry(Generic[Work]):
    """An item that waits for somebody."""

    id: str
    work: Work
    """What is to be done."""
    places: int = 1
    """People who are still needed."""
    cohort: int = 0
    """Number of the group that it belongs to: groups are worked on one after another."""


def in_order(
    entries: Iterable[QueueEntry[Work]],
    person: str,
    *,
    held: Mapping[str, tuple[str, ...]],
    skipped: Mapping[str, float],
) -> list[QueueEntry[Work]]:
    """Return the items in a person's order.

    What the person holds is first, what they skipped last. Between the two are the first cohort,
    then in it what has the fewest people, then an order of the person's own, always the same. Two
    people so meet seldom, and no item is always judged first or last.
    """

    def place(entry: QueueEntry[Work]) -> tuple[bool, float, int, int, bytes]:
        holders = held.get(entry.id, ())
        mixed = hashlib.sha256(f"{person}\0{entry.id}".encode("utf-8", "replace")).digest()
        return (
            person not in holders,
            skipped.get(entry.id, 0.0),
            entry.cohort,
            len(holders) - entry.places,
            mixed,
        )

    return sorted(entries, key=place)


def mixed(
    entries: Sequence[QueueEntry[Work]],
    gold: Sequence[QueueEntry[Work]],
    share: float,
    given: int,
) -> list[QueueEntry[Work]]:
    """Return items with gold among them, of this share; `given` items were worked on before.

    Gold is given only between other items, so that it is not noticed.
    """
    if not gold or share <= 0:
        return list(entries)
    every, rest = max(2, round(1 / share)), list(gold)
    found: list[QueueEntry[Work]] = []
    for entry in entries:
        if rest and (given + len(found)) % every == every - 1:
            found.append(rest.pop(0))
        found.append(entry)
    return found
