"""What a model writes costs about the same to draw, whatever characters it is made of."""

from __future__ import annotations

import time

import pytest

from recordings.events import LiveDelta
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.wrap import GrowingRows, wrap
from tests.hostile.takers import _Screen

pytestmark = pytest.mark.hostile

CHARACTERS = 3_000
MOST_TIMES = 8
"""Times the CPU time of plain words."""
COSTLY = {
    "wide": "漢",
    "wide words": "漢字 ",
    "letters with marks": "e\u0301",
    "marks without a letter": "\u0301",
    "joined signs": "\U0001f468\u200d",
    "brackets": "[",
}


def seconds(text: str) -> float:
    """CPU time of drawing a text that comes character by character."""
    renderer = EventRenderer(_Screen())
    begun = time.process_time()
    for character in text:
        renderer.feed(LiveDelta(1, "content", character, 0))
    renderer.finish()
    return time.process_time() - begun


@pytest.mark.parametrize("name", COSTLY)
def test_a_text_that_streams_costs_no_more_than_words_do(name: str) -> None:
    text, words = COSTLY[name] * CHARACTERS, "word " * CHARACTERS
    seconds(words[:100])
    times = (seconds(text[:CHARACTERS]) / seconds(words[:CHARACTERS]) for _ in range(5))
    assert any(one < MOST_TIMES for one in times)


@pytest.mark.parametrize(
    "line", ["word " * 50, "漢" * 200, "a\u0301" * 100, "a  b " * 40, "\u2764\ufe0f" * 90]
)
@pytest.mark.parametrize("step", [1, 7])
def test_a_line_that_grows_has_the_rows_of_the_whole(line: str, step: int) -> None:
    rows = GrowingRows(20)
    for end in range(0, len(line) + 1, step):
        assert rows.of(line[:end]) == wrap(line[:end], 20)
    assert rows.of("another") == ["another"]
