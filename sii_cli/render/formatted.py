"""Whole blocks of markdown and code as rich renderables. Slow to import, so imported by those who
draw one when they draw it.
"""

from __future__ import annotations

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Heading, Markdown
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text

CODE_THEME = "ansi_dark"
MOST_MARKDOWN = 20_000
"""Characters of a block that are rendered; a longer one is shown as it was written."""
MOST_CODE = 4_000
"""Characters of code that are highlighted: they take a tenth of a second."""
MOST_BARS = 500
"""Bars of a text that is rendered: each cell of a table takes as long as a page of words."""
MOST_CODE_LINE = 500
"""Characters of a line of code that is highlighted: longer ones are data or an attack."""
MOST_BLANK = 200
"""Lines without text in code that is highlighted: Python's lexer reads all that follow at each."""
LANGUAGES = frozenset(
    (
        *("bash", "c", "c++", "cpp", "css", "diff", "go", "html", "ini", "java", "javascript"),
        *("js", "json", "py", "python", "python3", "rs", "rust", "sh", "shell", "sql", "toml"),
        *("ts", "typescript", "xml", "yaml", "yml"),
    )
)
"""Of code that is highlighted. Of the lexers that there are for others some take time exponential
in a line."""

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


class _PlainHeading(Heading):
    """A heading without a box around it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.stylize("bold underline" if self.tag == "h1" else "bold")
        text.justify = "left"
        yield text


class _Markdown(Markdown):
    """Markdown as text only: raw HTML is shown as it is, links with their address."""

    elements = {**Markdown.elements, "heading_open": _PlainHeading}  # noqa: RUF012 (rich's own)

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False)
        self.parsed = _PARSER.parse(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Leave out the empty lines that rich puts around lists and tables."""
        rendered = super().__rich_console__(console, options)
        lines = list(Segment.split_lines(part for part in rendered if isinstance(part, Segment)))
        while lines and not _has_text(lines[-1]):
            lines.pop()
        while lines and not _has_text(lines[0]):
            del lines[0]
        for line in lines:
            yield from line
            yield Segment.line()


def _has_text(line: list[Segment]) -> bool:
    return any(segment.text.strip() for segment in line)


def render_markdown(text: str) -> RenderableType:
    """Return a whole piece of sanitised markdown as something to print."""
    is_handy = len(text) <= MOST_MARKDOWN and text.count("|") <= MOST_BARS
    return _Markdown(text) if is_handy else Text(text)


def render_code(code: str, language: str, *, indent: int = 2) -> Text:
    """Return sanitised code, highlighted where the language is known and the code not endless."""
    if language.lower() in LANGUAGES and _is_handy(code):
        text = Syntax("", language, theme=CODE_THEME).highlight(code)
    else:
        text = Text(code)
    text.rstrip()
    lines = text.split("\n", allow_blank=True)
    return Text("\n").join(Text(" " * indent).append_text(line) for line in lines)


def _is_handy(code: str) -> bool:
    lines = code.split("\n")
    blank = sum(1 for line in lines if not line.strip())
    longest = max(map(len, lines))
    return len(code) <= MOST_CODE and longest <= MOST_CODE_LINE and blank <= MOST_BLANK
