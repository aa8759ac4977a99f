"""A message that no context could take is refused before it is sent."""

from __future__ import annotations

import pytest

from sii_cli.agent.context.budget import ContextBudget
from sii_cli.agent.context.compaction import ModelContext
from sii_cli.session.fits import SURE, MessageTooLong, check_fits

ROOM = 750
"""Tokens of a context of 1,000 that are not kept for the answer."""


class Counter:
    """Counts words."""

    exact = True

    def __init__(self) -> None:
        self.counted = 0

    async def count(self, text: str) -> int:
        self.counted += 1
        return len(text.split())


async def refusal(text: str, counter: Counter, length: int | None = 1000) -> str:
    try:
        await check_fits(text, ModelContext(budget=ContextBudget(length), counter=counter))
    except MessageTooLong as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("words", "is_refused", "counted"),
    [(ROOM // 2, False, 0), (ROOM, False, 1), (ROOM + 1, True, 1), (SURE * ROOM, True, 0)],
)
async def test_what_is_near_the_limit_is_counted(
    words: int, is_refused: bool, counted: int
) -> None:
    counter = Counter()
    said = await refusal("word " * words, counter)
    assert bool(said) == is_refused
    assert counter.counted == counted
    assert not is_refused or "takes at most 750" in said


async def test_without_a_known_length_nothing_is_refused() -> None:
    assert not await refusal("word " * 100_000, Counter(), None)
