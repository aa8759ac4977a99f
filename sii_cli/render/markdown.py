"""Markdown that streams: each paragraph, list, table or piece of code is rendered once it is
whole; until then it is the tail, as it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from sii_cli.render.wrap import LineStream
from sii_cli.text.sanitise import sanitise

FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})\s*([\w+#.-]*)")
HEADING = re.compile(r"#{1,6} ")
CODE_CHUNK = 30
"""Lines of code that are rendered at a time; longer code does not wait for its end."""
LONGEST = 4_000
"""The weight of a block that is waited for: a heavier one is drawn in parts, so that a piece costs
no more after a long text than after a short one, and none takes a tenth of a second."""
OF_A_LINE = 24
OF_A_MARK = 8
"""Weight of a line and of a mark beside that of a character, which is 1: what they take to draw."""
MARKS = "*_`[<~"
LONGEST_LINE = 1_000
"""Characters of a line that are waited for; it is parted at a space."""


class MarkdownStream:
    """Takes markdown in pieces; gives out blocks as they become whole."""

    def __init__(self) -> None:
        self._lines = LineStream(None)
        self._block: list[str] = []
        self._weight = 0
        """Of the block: what it takes to draw it."""
        self._fence: str | None = None
        self._language = ""
        self._blank = False
        self._begun = False

    def feed(self, text: str) -> list[RenderableType]:
        """Take a piece; return the blocks that are whole by it, with blank lines between."""
        lines = self._lines.feed(text)
        if self._lines.size > LONGEST_LINE:
            lines.append(self._lines.part())
        blocks = [block for line in lines for block in self._take(line)]
        growing = self._lines.growing
        if self._blank and growing and not growing[0].isspace():
            blocks += self._flush()  # what has begun now is not part of the block
        return blocks

    def end(self) -> list[RenderableType]:
        """Return what is left."""
        left = [block for line in self._lines.end() for block in self._take(line)]
        return [*left, *self._flush()]

    @property
    def growing(self) -> list[str]:
        """The lines that are not rendered yet."""
        return [*self._block, *([""] if self._blank else []), self._lines.growing]

    def _take(self, line: str) -> Iterator[RenderableType]:
        if self._fence is not None:
            yield from self._take_code(line)
        elif match := FENCE.match(line):
            yield from self._flush()
            yield from self._gap()
            self._fence, self._language = match[1], match[2]
        elif not line.strip():
            self._blank = bool(self._block)
        else:
            # An indented line after a blank one still belongs to its list item.
            if self._blank and not line.startswith("  "):
                yield from self._flush()
            if self._blank and self._block:
                self._block.append("")
            self._blank = False
            self._block.append(line)
            self._weight += _weight(line)
            if HEADING.match(line) or self._weight > LONGEST:
                yield from self._flush()

    def _take_code(self, line: str) -> Iterator[RenderableType]:
        assert self._fence is not None
        stripped = line.strip()
        if stripped and set(stripped) == {self._fence[0]} and len(stripped) >= len(self._fence):
            yield from self._flush()
            self._fence = None
            return
        self._block.append(line)
        if len(self._block) == CODE_CHUNK:
            yield self._code()

    def _flush(self) -> Iterator[RenderableType]:
        """Give out the block."""
        self._blank = False
        if not self._block:
            return
        if self._fence is not None:
            yield self._code()
            return
        text = "\n".join(self._block)
        self._block, self._weight = [], 0
        yield from self._gap()
        from sii_cli.render.formatted import render_markdown

        yield render_markdown(text)

    def _gap(self) -> Iterator[RenderableType]:
        """Part a block from the one before it."""
        if self._begun:
            yield Text("")
        self._begun = True

    def _code(self) -> RenderableType:
        code = "\n".join(self._block)
        self._block = []
        from sii_cli.render.formatted import render_code

        return render_code(code, self._language)


def _weight(line: str) -> int:
    if line.startswith("|"):  # a table, which its bars bound (`formatted.MOST_BARS`)
        return len(line)
    return len(line) + OF_A_LINE + OF_A_MARK * sum(map(line.count, MARKS))


def whole(text: str) -> list[RenderableType]:
    """Return the blocks of a text that is there already."""
    stream = MarkdownStream()
    return [*stream.feed(sanitise(text)), *stream.end()]
