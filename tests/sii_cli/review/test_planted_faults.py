"""The place of each planted fault is within two keys of the first screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from recordings.storage.line_index import ERROR, LineIndex
from recordings.storage.log import recording_hash
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import ReviewItem, read_item
from sii_cli.review.pane import ReviewPane
from sii_cli.review.reviewing import Reviewing
from sii_cli.review.task import ReviewTask
from tests.planted_faults import KINDS, PlantedFault, plant

COLUMNS, ROWS = 79, 27
"""What a window of 110 columns and 30 rows leaves beside the outline."""
KEYS: dict[str, Callable[[Reviewing], None]] = {
    "p": lambda one: one.place(),
    "e": lambda one: one.jump(ERROR),
    "d": lambda one: one.look_at("diff"),
    "j": lambda one: one.move(1),
    "G": lambda one: one.show(len(one.item.outline) - 1),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def planted(home: Path) -> list[PlantedFault]:
    return plant(home)


def read(folder: Path) -> Iterator[ReviewItem]:
    with closing(LineIndex(folder)) as index:
        while not index.complete:
            index.extend()
        yield read_item(ReviewTask(folder, recording_hash(folder)), index)


def screen_after(item: ReviewItem, keys: tuple[str, ...]) -> str:
    """Return what is on the screen after some keys."""
    pane, reviewing = ReviewPane(), Reviewing(item, ReviewDraft(), lambda _: None)
    pane.rows(reviewing, COLUMNS, ROWS)
    for key in keys:
        if key == "space":
            pane.scroll(reviewing, ROWS, 0, 1.0)
        else:
            KEYS[key](reviewing)
        asyncio.run(pane.read_diff(reviewing))
        pane.rows(reviewing, COLUMNS, ROWS)
    return " ".join(" ".join(pane.rows(reviewing, COLUMNS, ROWS)).split())


def test_half_of_forty_have_a_fault_of_each_kind(planted: list[PlantedFault]) -> None:
    faults = [one.kind for one in planted if one.kind is not None]
    assert len(planted) == 40
    assert {kind: faults.count(kind) for kind in KINDS} == dict.fromkeys(KINDS, 4)


def test_each_place_is_within_two_keys(home: Path, planted: list[PlantedFault]) -> None:
    needed: dict[str, list[int]] = {}
    for fault in planted:
        if fault.kind is None:
            continue
        for item in read(home / "recordings" / fault.recording):
            sequences = [
                keys for size in range(3) for keys in product((*KEYS, "space"), repeat=size)
            ]
            found = (keys for keys in sequences if fault.words in screen_after(item, keys))
            keys = next(found, None)
            assert keys is not None, (fault, screen_after(item, ()))
            needed.setdefault(fault.kind, []).append(len(keys))
    assert {kind: max(sizes) for kind, sizes in needed.items()} == {
        "edited_test": 1,
        "invented_number": 0,
        "unopened_citation": 0,
        "false_summary": 1,
        "skipped_requirement": 0,
    }


@pytest.mark.parametrize(
    ("kinds", "place"),
    [
        ({"edited_test"}, "test_changed"),
        ({"unopened_citation", "invented_number"}, "no_source"),
        (set(), "never_opened"),
    ],
)
def test_only_what_is_faulty_is_named(
    home: Path, planted: list[PlantedFault], kinds: set[str], place: str
) -> None:
    for fault in planted:
        for item in read(home / "recordings" / fault.recording):
            named = any(one.kind == place for one in item.first.places)
            assert named is (fault.kind in kinds), fault
