"""Calls of single tools in a workspace of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.fakes.fake_sandbox import FakeSandbox
from tools.base import ToolResult
from tools.edit_file import EditFile
from tools.files import SessionFiles
from tools.read_file import ReadFile
from tools.write_file import WriteFile


class Workspace:
    """The file tools of one session and the directory that they work in."""

    def __init__(self, root: Path, sandbox: FakeSandbox | None = None) -> None:
        self.sandbox = sandbox or FakeSandbox(root)
        self.folder = self.sandbox.workspace
        files = SessionFiles(self.sandbox.provide)
        self._read, self._write, self._edit = ReadFile(files), WriteFile(files), EditFile(files)

    async def read(self, path: str, **params: Any) -> ToolResult:
        return await self._read.run(self._read.params(path=path, **params), _ignore)

    async def write(self, path: str, content: str) -> ToolResult:
        return await self._write.run(self._write.params(path=path, content=content), _ignore)

    async def edit(self, path: str, *edits: dict[str, Any]) -> ToolResult:
        params = self._edit.params.model_validate({"path": path, "edits": list(edits)})
        return await self._edit.run(params, _ignore)


def _ignore(output: bytes) -> None:
    pass


@contextmanager
def new_workspace() -> Iterator[Workspace]:
    """Make a workspace that is gone when the block ends."""
    with TemporaryDirectory() as root:
        yield Workspace(Path(root))
