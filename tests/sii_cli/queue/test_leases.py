"""Leases: an item is held by as many people as it needs, and by nobody for longer than agreed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from sii_cli.errors import SiiError
from sii_cli.queue import leases as module
from sii_cli.queue.leases import LEASE, LEASES, Item, Leases
from tests.fakes.small_disk import SmallDisk, small_disk  # noqa: F401

ONE = Item("review", "20261123-204950-a3f9c2")


class Clock:
    """The clock of the leases, which a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_an_item_is_held_by_as_many_as_it_needs(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        assert leases.take(ONE, "ann", places=2)
        assert leases.take(ONE, "bob", places=2)
        assert not leases.take(ONE, "cleo", places=2)
        assert leases.held("review") == {ONE.id: ("ann", "bob")}
        leases.release(ONE, "ann")
        assert leases.take(ONE, "cleo", places=2)


def test_the_holder_takes_an_item_again_and_fills_one_place(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        assert leases.take(ONE, "ann")
        assert leases.take(ONE, "ann")
        assert not leases.take(ONE, "bob")


def test_kinds_are_apart(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        assert leases.take(ONE, "ann")
        assert leases.take(Item("inbox", ONE.id), "bob")
        assert leases.held("inbox") == {ONE.id: ("bob",)}


def test_a_lease_ends_without_a_heartbeat(tmp_path: Path, clock: Clock) -> None:
    with Leases(tmp_path) as leases:
        leases.take(ONE, "ann")
        clock.now += LEASE - 1
        assert leases.heartbeat(ONE, "ann")
        clock.now += LEASE - 1
        assert not leases.take(ONE, "bob")
        clock.now += 2
        assert not leases.heartbeat(ONE, "ann")
        assert leases.take(ONE, "bob")
        assert not leases.take(ONE, "ann")


def test_a_lease_of_another_clock_holds_nobody_off(tmp_path: Path, clock: Clock) -> None:
    with Leases(tmp_path) as leases:
        leases.take(ONE, "ann")
        clock.now -= 100_000
        assert leases.take(ONE, "bob")


def test_a_heartbeat_of_another_is_refused(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        leases.take(ONE, "ann")
        assert not leases.heartbeat(ONE, "bob")


def test_what_is_skipped_is_free_and_remembered_for_one_person(
    tmp_path: Path, clock: Clock
) -> None:
    with Leases(tmp_path) as leases:
        leases.take(ONE, "ann")
        leases.skip(ONE, "ann")
        assert leases.skipped("review", "ann") == {ONE.id: clock.now}
        assert leases.skipped("review", "bob") == {}
        assert leases.take(ONE, "bob")


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"x" * 4096])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LEASES).write_bytes(content)
    with Leases(tmp_path) as leases:
        assert leases.take(ONE, "ann")


def test_a_file_with_other_tables_is_made_again(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / LEASES)
    db.execute("CREATE VIEW leases AS SELECT 1 AS expires")
    db.close()
    with Leases(tmp_path) as leases:
        assert leases.take(ONE, "ann")


def test_a_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEASES).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SiiError, match=r"cannot be used .* delete the file"):
        Leases(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


PEOPLE, ITEMS = 4, 2_500


def test_no_lease_is_given_twice_in_ten_thousand_races(tmp_path: Path) -> None:
    context = get_context("spawn")
    ready = context.Barrier(PEOPLE)
    with ProcessPoolExecutor(
        PEOPLE, context, initializer=share_barrier, initargs=(ready,)
    ) as processes:
        taken = list(processes.map(take_all, [(tmp_path, name) for name in range(PEOPLE)]))
    assert len([one for mine in taken for one in mine]) == ITEMS
    assert len(set().union(*taken)) == ITEMS
    assert all(taken), "each process takes some, else they did not race"


_barrier: Barrier | None = None


def share_barrier(barrier: Barrier) -> None:
    """Keep, in a process of the pool, what lets all begin at the same time."""
    global _barrier
    _barrier = barrier


def take_all(task: tuple[Path, int]) -> list[int]:
    assert _barrier is not None
    _barrier.wait(60)
    home, person = task
    items = list(range(ITEMS))
    random.Random(person).shuffle(items)
    with Leases(home) as leases:
        return [one for one in items if leases.take(Item("review", str(one)), str(person))]


USES: list[Callable[[Leases], object]] = [
    lambda leases: leases.take(ONE, "ann"),
    lambda leases: leases.heartbeat(ONE, "ann"),
    lambda leases: leases.release(ONE, "ann"),
    lambda leases: leases.skip(ONE, "ann"),
    lambda leases: leases.held("review"),
    lambda leases: leases.skipped("review", "ann"),
]


@pytest.mark.hostile
@pytest.mark.parametrize("use", USES)
def test_a_file_that_is_damaged_while_it_is_open_is_one_sentence(
    tmp_path: Path, use: Callable[[Leases], object]
) -> None:
    with Leases(tmp_path) as leases:
        other = sqlite3.connect(tmp_path / LEASES)
        other.execute("DROP TABLE leases")
        other.execute("DROP TABLE skips")
        other.commit()
        other.close()
        with pytest.raises(SiiError, match="cannot be used"):
            use(leases)


@pytest.mark.hostile
def test_a_file_that_another_process_holds_is_one_sentence_and_can_be_used_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    with Leases(tmp_path) as leases:
        other = sqlite3.connect(tmp_path / LEASES, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for use in USES[:4]:
            with pytest.raises(SiiError, match="another process holds the file"):
                use(leases)
        other.execute("COMMIT")
        leases.skip(ONE, "ann")
        assert list(leases.skipped("review", "ann")) == [ONE.id]


def skip_many(leases: Leases) -> None:
    for number in range(500):
        leases.skip(Item("review", str(number)), "ann")


@pytest.mark.hostile
def test_a_full_disk_is_one_sentence_and_the_leases_can_be_used_afterwards(
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    with Leases(small_disk.root) as leases:
        small_disk.fill()
        with pytest.raises(SiiError, match="free some space"):
            skip_many(leases)
        (small_disk.root / "filler").unlink()
        assert leases.take(ONE, "ann")


def test_what_is_not_of_its_kind_does_not_count(tmp_path: Path, clock: Clock) -> None:
    with Leases(tmp_path) as leases:
        leases.skip(ONE, "ann")
        db = sqlite3.connect(tmp_path / LEASES)
        for name, skipped in (("a", "never"), ("b", None), ("c", b"1"), (b"d", 1.0)):
            db.execute("INSERT INTO skips VALUES ('review', ?, 'ann', ?)", (name, skipped))
        for name, holder in ((b"\xff", "ann"), ("a", b"\xff"), ("b", "bob")):
            values = (name, holder, clock.now + 60)
            db.execute("INSERT INTO leases VALUES ('review', ?, ?, ?)", values)
        db.commit()
        db.close()
        assert leases.skipped("review", "ann") == {ONE.id: clock.now}
        assert leases.held("review") == {"b": ("bob",)}
