"""Parsers of what others write take any bytes: they read them or refuse them with a named error."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

import pytest

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import targets

pytestmark = pytest.mark.hostile

SECONDS = 2.0
"""CPU seconds for each parser; `python -m tests.fuzz` goes on for as long as one likes."""
SLOWEST = 2.0
"""CPU seconds that an input of 64 KiB may take."""
TARGETS = targets()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_any_bytes_are_read_or_refused(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    target, random, count = TARGETS[name], Random(20261129), 0
    for seed in target.seeds:
        target.run(seed)
    begin = before = time.process_time()
    while before - begin < SECONDS:
        data = mutate(random.choice(target.seeds), random, target.seeds)
        target.run(data)
        count += 1
        now = time.process_time()
        assert now - before < SLOWEST, data
        before = now
    record_property("inputs", count)
    assert count > 20
