"""Lines of a long text, taken without looking at all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import text as module
from tools.text import count_lines, lines_from

TEXTS = st.text(alphabet="ab\r\n", max_size=60)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 7)
        yield


@given(TEXTS, st.integers(0, 70))
def test_lines_from_an_index_on(text: str, first: int) -> None:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    assert count_lines(text) == len(lines)
    assert list(lines_from(text, first)) == lines[first:]
