"""Every function that takes text of others takes time linear in it, or has a bound."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache

import pytest

from tests.hostile.takers import MORE, REASONS, TAKERS, Take, collect
from tests.hostile.texts import TEXTS, Text

pytestmark = [pytest.mark.hostile, pytest.mark.alone]

LEAST = 0.02
"""Seconds of CPU from which on a time is compared."""
MOST_TIMES = 12
"""Times the CPU time that ten times the text may take."""
LOOKED_AT = 6_000
"""Characters at which every text is looked at, and the texts that cost most are found."""
PROBED = 2_000
"""Characters from which on those grow."""
LARGEST = 200_000
MOST_COSTLY = 2
TRIES = 6
"""Other work on the machine disturbs one or two of them; what is not linear fails all."""
AT_ONCE = 40
"""The same in a quick look: what is quadratic takes about a hundred times."""
ALL: dict[Take, str] = {take: name for name, take in {**TAKERS, **MORE}.items()}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def test_every_function_that_takes_text_is_known() -> None:
    found = set(collect())
    patterns = [pattern for group in REASONS.values() for pattern in group]
    unknown = [
        name
        for name in found - TAKERS.keys()
        if not any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    assert not unknown, f"give them hostile texts, or a reason, in takers.py: {sorted(unknown)}"
    assert not TAKERS.keys() - found
    assert all(any(fnmatchcase(name, pattern) for name in found) for pattern in patterns)


@pytest.mark.slow
@pytest.mark.parametrize("take", ALL, ids=ALL.values())
def test_no_text_takes_much_longer_than_it_is_long(
    take: Take, record_property: Callable[[str, object], None]
) -> None:
    """A quick look at every text, at which what is quadratic shows.

    What has a bound may grow fast up to it: then it is looked at once more beyond.
    """
    record_property("inputs", len(TEXTS))
    slow = [
        name
        for name, cost in costs(take).items()
        if cost > LEAST / 2
        and cost > AT_ONCE * seconds(take, TEXTS[name], LOOKED_AT // 10)
        and growth(take, TEXTS[name], LOOKED_AT // 10, AT_ONCE) > AT_ONCE
        and growth(take, TEXTS[name], LOOKED_AT, AT_ONCE) > AT_ONCE
    ]
    assert not slow


@pytest.mark.slow
@pytest.mark.parametrize("take", ALL, ids=ALL.values())
def test_ten_times_the_text_takes_twelve_times_the_time(take: Take) -> None:
    """An exact look at the texts that cost most."""
    found = costs(take)
    slow = {}
    for name in sorted(found, key=found.__getitem__)[-MOST_COSTLY:]:
        text, size = TEXTS[name], PROBED
        while seconds(take, text, size) < LEAST and size < LARGEST:
            size *= 2
        tries = (growth(take, text, size, MOST_TIMES) for _ in range(TRIES))
        if size < LARGEST and (times := min(_until_within(tries))) > MOST_TIMES:
            slow[name] = times
    assert not slow


@cache
def costs(take: Take) -> dict[str, float]:
    """Return the time that each text takes."""
    take("a")  # what is imported or built once is not counted
    return {name: seconds(take, text, LOOKED_AT) for name, text in TEXTS.items()}


def _until_within(tries: Iterator[float]) -> Iterator[float]:
    """Yield up to the first that is not too much: other work on the machine disturbs a try."""
    for times in tries:
        yield times
        if times <= MOST_TIMES:
            return


def growth(take: Take, text: Text, size: int, most: float) -> float:
    """Return how many times the time ten times the text takes, at best of up to five tries."""
    small = large = float("inf")
    for _ in range(5):
        small = min(small, seconds(take, text, size))
        large = min(large, seconds(take, text, 10 * size))
        if large <= most * small:
            break
    return large / small


def seconds(take: Take, text: Text, size: int) -> float:
    made = text(size)
    begun = time.process_time()
    take(made)
    return time.process_time() - begun
