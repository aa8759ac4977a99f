"""The `glob` tool: files by name."""

from __future__ import annotations

from pydantic import Field

from sandbox.protocol import SandboxProvider
from tools.base import Cut, Emit, Params, Tool, ToolResult
from tools.output import HITS, show_line
from tools.ripgrep import Ripgrep, all_field, from_workspace
from tools.text import counted

MAX_FILES = 500


class GlobParams(Params):
    """Which files are listed, and below which directory."""

    pattern: str = Field(
        description="Such as `*.py` or `src/**/test_*.{js,ts}`.", min_length=1, max_length=4096
    )
    path: str = Field(".", description="Directory to look in.", min_length=1, max_length=4096)
    all: bool = all_field()


class Glob(Tool[GlobParams]):
    """Lists files, sorted by path."""

    name = "glob"
    params = GlobParams
    parallel = True

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._ripgrep = Ripgrep(sandbox)

    async def run(self, params: GlobParams, emit: Emit) -> ToolResult:
        """List the files that match, and say when only hidden ones do."""
        paths, notes = await self._list(params, everything=params.all)
        if not paths:
            return ToolResult("\n".join([await self._nothing(params), *notes]))
        shown: list[str] = []
        room = HITS
        for raw in paths[:MAX_FILES]:
            path = show_line(raw)
            room -= len(path) + 1
            if room < 0:
                break
            shown.append(path)
        left = paths[len(shown) :]
        if left:
            notes.insert(0, f"[{counted(len(left), 'more file')} left out: narrow the search]")
        return ToolResult(
            "\n".join([*shown, *notes]),
            cut=Cut(sum(map(len, left)) + len(left), len(left)) if left else None,
            full=b"\n".join(paths) if left else None,
        )

    async def _list(self, params: GlobParams, *, everything: bool) -> tuple[list[bytes], list[str]]:
        found = await self._ripgrep.search(
            ["--files"], params.path, glob=params.pattern, everything=everything
        )
        paths = filter(found.counts, found.output.split(b"\0")[:-1])
        return sorted(map(from_workspace, paths)), found.notes

    async def _nothing(self, params: GlobParams) -> str:
        if not params.all:
            hidden, _ = await self._list(params, everything=True)
            if hidden:
                files = counted(len(hidden), "hidden or ignored file")
                return f"No files match but {files}: set `all` to see them."
        return "No files match."
