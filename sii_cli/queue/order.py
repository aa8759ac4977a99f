"""The order in which a person is given the items of a queue."""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Work = TypeVar("Work")
_NUMBER = 4
"""Bytes of an item's number in what it is sorted by."""


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
) -> Iterator[QueueEntry[Work]]:
    """Yield the items in a person's order.

    What the person holds is first, what they skipped last. Between the two are the first cohort,
    then in it what has the fewest people, then an order of the person's own, always the same. Two
    people so meet seldom, and no item is always judged first or last.
    """
    groups: dict[tuple[bool, float, int, int], list[QueueEntry[Work]]] = defaultdict(list)
    for entry in entries:
        holders = held.get(entry.id, ())
        skip = skipped.get(entry.id, 0.0)
        place = person not in holders, skip, entry.cohort, len(holders) - entry.places
        groups[place].append(entry)
    for place in sorted(groups):
        yield from _in_own_order(groups[place], person)


def _in_own_order(entries: Sequence[QueueEntry[Work]], person: str) -> Iterator[QueueEntry[Work]]:
    """Yield items in an order that is only this person's.

    A queue may be long, and mostly its first item is wanted: the others are not sorted before.
    """
    name = f"{person}\0".encode("utf-8", "replace")
    heap = [
        hashlib.sha256(name + entry.id.encode("utf-8", "replace")).digest()
        + number.to_bytes(_NUMBER)
        for number, entry in enumerate(entries)
    ]
    heapq.heapify(heap)
    while heap:
        yield entries[int.from_bytes(heapq.heappop(heap)[-_NUMBER:])]


def mixed(
    entries: Iterable[QueueEntry[Work]],
    gold: Iterable[QueueEntry[Work]],
    share: float,
    given: int,
) -> Iterator[QueueEntry[Work]]:
    """Yield items with gold among them, of this share; `given` items were worked on before.

    Gold is given only between other items, so that it is not noticed.
    """
    every = max(2, round(1 / share)) if share > 0 else 0
    rest = iter(gold)
    for entry in entries:
        if every and given % every == every - 1 and (one := next(rest, None)) is not None:
            yield one
            given += 1
        yield entry
        given += 1
