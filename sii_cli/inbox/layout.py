"""Where on the screen of the inbox what is."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    VSplit,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput

from sii_cli.review.words import OUTLINE

INPUT_ROWS = 6
"""Rows of the input line at most."""
Rows = Callable[[], StyleAndTextTuples]


def inbox_layout(
    body: Window,
    buffer: Buffer,
    *,
    head: Rows,
    outline: Rows,
    status: Rows,
    foot: Rows,
    has_outline: Condition,
    has_line: Condition,
) -> HSplit:
    """Return the outline beside `body`, between the lines above and below them."""
    beside = VSplit(
        [
            Window(FormattedTextControl(outline), width=OUTLINE),
            Window(width=1, char="│", style="fg:ansibrightblack"),
        ]
    )
    line = Window(
        BufferControl(buffer, input_processors=[BeforeInput("› ")]),
        height=Dimension(min=1, max=INPUT_ROWS),
        wrap_lines=True,
        dont_extend_height=True,
    )
    return HSplit(
        [
            Window(FormattedTextControl(head), height=1),
            VSplit([ConditionalContainer(beside, has_outline), body]),
            Window(FormattedTextControl(status), height=1),
            ConditionalContainer(line, has_line),
            Window(FormattedTextControl(foot), height=1),
        ]
    )
