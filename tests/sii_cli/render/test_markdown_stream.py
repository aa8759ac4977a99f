"""Markdown that arrives in pieces is rendered block by block, the same however it was cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.console import RenderableType

from sii_cli.render.markdown import MarkdownStream
from sii_cli.render.screen import Painter

DOCUMENT = """\
# Title

A paragraph over
two lines.

- one
- two

  still two

| a | b |
|---|---|
| 1 | 2 |

```python
x = 1

y = 2
```
The end with ``` inside.
"""


def paint(blocks: list[RenderableType]) -> str:
    return Painter(terminal=False).paint(blocks, 60)


def stream(text: str, size: int) -> str:
    markdown = MarkdownStream()
    blocks: list[RenderableType] = []
    for at in range(0, len(text), size):
        blocks += markdown.feed(text[at : at + size])
    return paint([*blocks, *markdown.end()])


def test_blocks_are_rendered_with_one_empty_line_between() -> None:
    assert stream(DOCUMENT, 10_000).split("\n") == [
        "Title",
        "",
        "A paragraph over two lines.",
        "",
        " • one",
        " • two",
        "   still two",
        "",
        " a  b",
        " ────",
        " 1  2",
        "",
        "  x = 1",
        "",
        "  y = 2",
        "",
        "The end with ``` inside.",
        "",
    ]


@given(st.integers(1, 40))
def test_how_it_is_cut_makes_no_difference(size: int) -> None:
    assert stream(DOCUMENT, size) == stream(DOCUMENT, 10_000)


@given(st.text(alphabet="a#`~-*|[]() \n>1.", max_size=200), st.integers(1, 9))
def test_wild_markdown_is_cut_without_loss(text: str, size: int) -> None:
    assert stream(text, size) == stream(text, 10_000)


def test_a_paragraph_is_given_out_once_the_next_one_begins() -> None:
    markdown = MarkdownStream()
    assert markdown.feed("One **word") == []
    assert markdown.growing == ["One **word"]
    assert paint(markdown.feed("**.\n\nTwo")) == "One word.\n"
    assert markdown.growing == ["Two"]


def test_long_code_does_not_wait_for_its_end() -> None:
    markdown = MarkdownStream()
    blocks = markdown.feed("```\n" + "line\n" * 100)
    assert paint(blocks).count("line") >= 90


def test_raw_html_is_shown_as_it_is() -> None:
    assert stream("<div>text</div>\n", 100) == "<div>text</div>\n"
