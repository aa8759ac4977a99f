"""The `read_file` tool: a file's lines, numbered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pydantic import Field

from sandbox.protocol import FileError
from tools.base import Cut, Emit, Params, Tool, ToolError, ToolResult
from tools.files import SessionFiles, path_field
from tools.filetypes import describe_binary
from tools.output import LINE, PAGE, show_line
from tools.text import TextFile, count_lines, decode_text, lines_from

MAX_LINES = 2_000


class ReadFileParams(Params):
    """Which lines of which file."""

    path: str = path_field()
    offset: int = Field(1, description="First line to read, counted from 1.", ge=1)
    limit: int = Field(MAX_LINES, description="Most lines to read.", ge=1, le=MAX_LINES)


class ReadFile(Tool[ReadFileParams]):
    """Reads text files; describes what is not text."""

    name = "read_file"
    params = ReadFileParams
    parallel = True

    def __init__(self, files: SessionFiles) -> None:
        self._files = files

    async def run(self, params: ReadFileParams, emit: Emit) -> ToolResult:
        """Read lines of the file and remember what the file was."""
        try:
            file = await self._files.read(params.path)
        except FileError as error:
            if error.kind == "is_directory":
                message = f"{params.path} is a directory. List it with bash: ls -la"
                raise ToolError("is_directory", message) from None
            raise
        content = decode_text(file.data)
        if content is None:
            kind = describe_binary(file.data)
            return ToolResult(f"[{kind}, {file.size:,} bytes; only text can be shown]")
        self._files.mark_seen(file)
        if not content.text:
            return ToolResult("[the file is empty]")
        return _excerpt(params, content)


def _excerpt(params: ReadFileParams, content: TextFile) -> ToolResult:
    count = count_lines(content.text)
    first = params.offset - 1
    if first >= count:
        raise ToolError(
            "out_of_range",
            f"{params.path} has {count:,} lines; there is no line {params.offset:,}.",
        )
    windows = content.newline == "\r\n" and not content.mixed
    wanted = islice(lines_from(content.text, first), params.limit)
    shown, cut = _numbered(wanted, params.offset, windows)
    last = first + len(shown)
    notes = _notes(content)
    if first or last < count:
        more = f"; go on with offset={last + 1}" if last < count else ""  # words: allow
        notes.insert(0, f"lines {params.offset:,}-{last:,} of {count:,}{more}")
    if last == count and not content.text.endswith("\n"):
        notes.append("no newline at the end of the file")
    text = "\n".join([*shown, *(f"[{note}]" for note in notes)])
    return ToolResult(text, cut=Cut(cut, 0) if cut else None)


def _notes(content: TextFile) -> list[str]:
    notes = [content.note] if content.note else []
    if content.mixed:
        notes.append(r"some lines end with CRLF (its CR is shown as \x0d), some with LF")
    elif content.newline == "\r\n":
        notes.append("lines end with CRLF")
    return notes


def _numbered(lines: Iterable[str], number: int, windows: bool) -> tuple[list[str], int]:
    """Number lines until the call's text is full; also return the bytes cut off long lines."""
    shown: list[str] = []
    room = PAGE
    cut = 0
    for line in lines:
        raw = (line.removesuffix("\r") if windows else line).encode("utf-8", "surrogateescape")
        text = f"{number:>6}\t{show_line(raw)}"
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
        number += 1
        cut += max(0, len(raw) - LINE)
    return shown, cut
