"""The `write_file` tool: makes a file or replaces its whole content."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import Field

from tools.base import Emit, Params, Tool, ToolResult
from tools.diff import unified_diff
from tools.files import SessionFiles, in_workspace, path_field
from tools.text import count_lines, counted, decode_text, displayed

_NOTES = {
    "seen": "",
    "unseen": " You had not read the file that was there before.",
    "changed": " The file had changed since you last read it; those changes are gone.",
}


class WriteFileParams(Params):
    """What to write where."""

    path: str = path_field()
    content: str = Field(description="The whole new content.")


class WriteFile(Tool[WriteFileParams]):
    """Writes files whole, in UTF-8."""

    name = "write_file"
    params = WriteFileParams

    def __init__(self, files: SessionFiles) -> None:
        self._files = files

    async def run(self, params: WriteFileParams, emit: Emit) -> ToolResult:
        """Write the file and say what happened to what was there."""
        data = params.content.encode()
        path = displayed(params.path)
        before = await self._files.read_if_there(params.path)
        written, freshness = await self._files.overwrite(params.path, data, before)
        self._files.mark_seen(written)
        note = _NOTES[freshness] if freshness else ""
        lines = counted(count_lines(params.content), "line")
        size = f"{lines}, {counted(len(data), 'byte')}"
        compared = before is None or before.sha256 is not None
        if before and compared and before.data == data:
            return ToolResult(f"{path} already had this content ({size}).{note}")
        details: dict[str, Any] = {"created": before is None}
        if compared:
            old = decode_text(before.data) if before else None
            change = (0, old.text if old else "", params.content)
            details["diff"] = await asyncio.to_thread(unified_diff, params.path, [change])
        return ToolResult(
            f"{'Overwrote' if before else 'Created'} {path}: {size}.{note}",
            changed=in_workspace(written),
            details=details,
        )
