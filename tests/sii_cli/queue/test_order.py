"""The order of a queue: one's own first, what one skipped last, and everyone's differs."""

from __future__ import annotations

from collections.abc import Mapping

from sii_cli.queue.order import QueueEntry, in_order, mixed

NAMES = [f"r{number}" for number in range(40)]
ENTRIES = [QueueEntry(name, None) for name in NAMES]


def ids(
    person: str,
    *entries: QueueEntry[None],
    held: Mapping[str, tuple[str, ...]] = {},
    skipped: Mapping[str, float] = {},
) -> list[str]:
    found = in_order(entries or ENTRIES, person, held=held, skipped=skipped)
    return [one.id for one in found]


def test_everyone_has_an_order_of_their_own_that_stays() -> None:
    assert ids("ann") == ids("ann")
    assert ids("ann") != ids("bob")
    assert ids("ann") != NAMES
    assert sorted(ids("ann")) == sorted(NAMES)


def test_what_one_holds_is_first_and_what_one_skipped_is_last() -> None:
    found = ids("ann", held={"r7": ("ann",)}, skipped={"r3": 20.0, "r9": 10.0})
    assert found[0] == "r7"
    assert found[-2:] == ["r9", "r3"]


def test_what_others_hold_comes_later() -> None:
    assert ids("ann", held={"r7": ("bob",)})[-1] == "r7"


def test_what_the_fewest_have_judged_comes_first() -> None:
    judged = [QueueEntry(name, None, places=1) for name in NAMES[:20]]
    fresh = [QueueEntry(name, None, places=2) for name in NAMES[20:]]
    assert set(ids("ann", *judged, *fresh)[:20]) == set(NAMES[20:])


def test_a_cohort_comes_before_the_next() -> None:
    first = [QueueEntry(name, None, places=1, cohort=0) for name in NAMES[20:]]
    second = [QueueEntry(name, None, places=2, cohort=1) for name in NAMES[:20]]
    assert set(ids("ann", *second, *first)[:20]) == set(NAMES[20:])


def test_gold_is_mixed_in_at_its_share() -> None:
    gold = [QueueEntry(f"g{number}", None) for number in range(3)]
    found = [one.id for one in mixed(ENTRIES[:20], gold, 0.1, given=0)]
    assert [found.index(f"g{number}") for number in (0, 1)] == [9, 19]
    assert "g2" not in found
    assert next(mixed(ENTRIES[:20], gold, 0.1, given=9)) == gold[0]
    assert list(mixed(ENTRIES, gold, 0.0, given=0)) == ENTRIES
    assert list(mixed(ENTRIES, [], 0.1, given=0)) == ENTRIES
