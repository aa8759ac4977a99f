"""The `grep` tool: lines of files that match a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import Field

from sandbox.protocol import FileError, SandboxProvider
from tools.base import Cut, Emit, Params, Tool, ToolResult
from tools.output import HITS, show_line
from tools.ripgrep import Ripgrep, SearchOutput, all_field, from_workspace
from tools.text import counted

MAX_ROWS = 250
_COLUMNS = 500
"""Bytes of a line that are shown."""
_MATCH = re.compile(rb"\d+:")
_MAX_REMARKS = 5


class GrepParams(Params):
    """What to look for, and where."""

    pattern: str = Field(
        description="A regular expression as in Rust: no look-around, no back-references.",
        min_length=1,
        max_length=10_000,
    )
    path: str = Field(
        ".", description="File or directory to search.", min_length=1, max_length=4096
    )
    glob: str | None = Field(
        None,
        description="Only files that match this pattern, as in the glob tool.",
        min_length=1,
        max_length=4096,
    )
    literal: bool = Field(False, description="Take the pattern as plain text.")
    ignore_case: bool = Field(False, description="Match upper and lower case alike.")
    context: int = Field(0, description="Lines to show around each match.", ge=0, le=20)
    count: bool = Field(False, description="Only give each file's number of matching lines.")
    all: bool = all_field()


class Grep(Tool[GrepParams]):
    """Searches text files."""

    name = "grep"
    params = GrepParams
    parallel = True

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox
        self._ripgrep = Ripgrep(sandbox)

    async def run(self, params: GrepParams, emit: Emit) -> ToolResult:
        """Show the lines that match, and say when only those of hidden files do."""
        await self._refuse_what_never_ends(params.path)
        options = ["--count"] if params.count else _line_options(params.context)
        found = await self._search(params, options, everything=params.all)
        hits = _read(found)
        if not hits.files and not hits.remarks:
            return ToolResult("\n".join([await self._nothing(params), *found.notes]))
        rows, matches = _counts(hits) if params.count else _lines(hits)
        return _result(rows, matches, hits, found)

    async def _refuse_what_never_ends(self, path: str) -> None:
        """Raise `FileError` for a FIFO, a device or a file of the kernel's: ripgrep would wait."""
        sandbox = await self._sandbox()
        try:
            await sandbox.read_file(path, limit=0)
        except FileError as error:
            if error.kind == "not_a_file":
                raise

    async def _search(
        self, params: GrepParams, options: list[str], *, everything: bool
    ) -> SearchOutput:
        options = [*options, "--with-filename", "--regexp", params.pattern]
        if params.literal:
            options.append("--fixed-strings")
        if params.ignore_case:
            options.append("--ignore-case")
        return await self._ripgrep.search(
            options, params.path, glob=params.glob, everything=everything
        )

    async def _nothing(self, params: GrepParams) -> str:
        if not params.all:
            found = await self._search(params, ["--count"], everything=True)
            hidden = len(_read(found).files)
            if hidden:
                files = counted(hidden, "hidden or ignored file")
                return f"No lines match but in {files}: set `all` to see them."
        return "No lines match."


def _line_options(context: int) -> list[str]:
    options = ["--line-number", "--no-heading"]
    options += [f"--max-columns={_COLUMNS}", "--max-columns-preview"]
    return [*options, f"--context={context}"] if context else options


@dataclass(slots=True)
class _Hits:
    """What was printed, by file."""

    files: dict[bytes, list[bytes]] = field(default_factory=dict)
    """Lines such as `12:text`, `13-text` beside a match, `--` for a gap; or a file's count."""
    remarks: list[bytes] = field(default_factory=list)
    """`path: what`: files that turned out to be binary."""


def _read(found: SearchOutput) -> _Hits:
    """Read rows of the form `path NUL line`; those of one file follow each other."""
    output = found.output
    if found.truncated:
        output = output[: output.rfind(b"\n") + 1]
    hits = _Hits()
    lines: list[bytes] | None = None
    for row in output.split(b"\n")[:-1]:
        path, nul, line = row.partition(b"\0")
        if nul:
            lines = hits.files.setdefault(path, []) if found.counts(path) else None
            if lines is not None:
                lines.append(line)
        elif row == b"--":
            if lines:
                lines.append(row)
        elif found.counts(row.partition(b": ")[0]):
            hits.remarks.append(row)
    return hits


def _counts(hits: _Hits) -> tuple[list[bytes], int]:
    """Return a row for each file, and the number of matching lines."""
    files = sorted(hits.files.items())
    rows = [from_workspace(path) + b": " + lines[0] for path, lines in files]
    return rows, sum(int(lines[0]) for _, lines in files)


def _lines(hits: _Hits) -> tuple[list[bytes], int]:
    """Return each file's path, its lines, an empty one; and the number of matching lines."""
    rows: list[bytes] = []
    for path, lines in sorted(hits.files.items()):
        if lines[-1] == b"--":  # the gap before the next file
            lines.pop()
        rows += [from_workspace(path), *lines, b""]
    return rows[:-1], sum(1 for row in rows if _MATCH.match(row))


def _result(rows: list[bytes], matches: int, hits: _Hits, found: SearchOutput) -> ToolResult:
    shown: list[str] = []
    room = HITS
    for row in rows[:MAX_ROWS]:
        text = show_line(row)
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
    notes = [f"[{show_line(from_workspace(remark))}]" for remark in hits.remarks[:_MAX_REMARKS]]
    left = rows[len(shown) :]
    if left:
        places = f"{counted(matches, 'line')} in {counted(len(hits.files), 'file')}"
        notes.append(f"[cut here; what matches are {places}: narrow the search]")
    return ToolResult(
        "\n".join([*shown, *notes, *found.notes]),
        cut=Cut(sum(map(len, left)) + len(left), len(left)) if left else None,
        full=b"\n".join(rows) if left else None,
    )
