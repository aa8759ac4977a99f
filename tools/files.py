"""What the file tools share: reading and writing in the sandbox, and what the model last saw."""

from __future__ import annotations

import secrets
from typing import Any, Literal

from pydantic import Field

from sandbox.protocol import WORKSPACE, FileData, FileError, SandboxProvider
from tools.base import ToolError
from tools.documents import DocumentText, Kind, read_document

READ_LIMIT = 64 << 20
"""Bytes; larger files are left to shell commands."""
HEAD = 64 << 10
"""Bytes of a document's beginning that are looked at; a table of fewer is shown as its lines."""
COMPARED_LIMIT = 256 << 10
"""Bytes of a file that is about to be overwritten that are read to compare it."""

Freshness = Literal["seen", "unseen", "changed"]
"""Whether the model knows a file as it is now: it does; never saw it; it changed since."""


def path_field() -> Any:
    """Return the parameter that names a file."""
    where = "Absolute, or relative to /workspace whatever the shell's directory is."
    return Field(description=where, min_length=1, max_length=4096)


class SessionFiles:
    """The files of a session."""

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox
        self._seen: dict[str, str] = {}
        """Resolved path → sha256 of the content when the model last saw or wrote it."""

    async def read(self, path: str) -> FileData:
        """Read a whole file. Raises `FileError`, and `ToolError` when it is too large."""
        file = await self._read(path)
        if file.sha256 is None:
            raise ToolError(
                "too_large",
                f"{path} has {file.size:,} bytes; the file tools go up to {READ_LIMIT:,}. "
                "Use bash instead: rg, head, tail, or sed -n '1000,1100p'.",
            )
        return file

    async def head(self, path: str) -> FileData:
        """Return the beginning of a file; its hash only when that is all of it."""
        sandbox = await self._sandbox()
        return await sandbox.read_file(path, limit=HEAD)

    async def document(self, path: str, kind: Kind, **part: Any) -> DocumentText:
        """Return the text of a document (`read_document`). Raises `ToolError`."""
        return await read_document(await self._sandbox(), path, kind, **part)

    async def fetched_document(self, data: bytes, kind: Kind, pages: str) -> DocumentText:
        """Return the text of a document that is not in the workspace. Raises `ToolError`."""
        sandbox = await self._sandbox()
        path = f"/tmp/.sii-{secrets.token_hex(8)}.{kind}"
        try:
            await sandbox.write_file(path, data)
            return await read_document(sandbox, path, kind, pages=pages)
        finally:
            await sandbox.run(["rm", "-f", path])

    async def read_if_there(self, path: str) -> FileData | None:
        """Return a file, or `None` where there is none; of a large one the beginning, unhashed."""
        sandbox = await self._sandbox()
        try:
            return await sandbox.read_file(path, limit=COMPARED_LIMIT)
        except FileError as error:
            if error.kind != "not_found":
                raise
            return None

    async def _read(self, path: str) -> FileData:
        sandbox = await self._sandbox()
        return await sandbox.read_file(path, limit=READ_LIMIT)

    async def write(self, path: str, data: bytes, before: FileData | None) -> FileData:
        """Replace a file that is still as `before` (`None`: that does not exist)."""
        sandbox = await self._sandbox()
        expected = before.sha256 if before else ""
        try:
            return await sandbox.write_file(path, data, expected_sha256=expected)
        except FileError as error:
            if error.kind != "changed":
                raise
            message = f"{path} was changed by something else during this call; nothing was written."
            raise ToolError("changed", f"{message} Read it again and repeat the call.") from None

    async def overwrite(
        self, path: str, data: bytes, before: FileData | None
    ) -> tuple[FileData, Freshness | None]:
        """Write a file and tell whether the model knew what is gone; `None` when nothing is.

        What `before` does not hold of a large file is compared in the sandbox, by its hash.
        """
        if before is None or before.sha256 is not None:
            freshness = self.freshness(before) if before else None
            return await self.write(path, data, before), freshness
        sandbox = await self._sandbox()
        seen = self._seen.get(before.path)
        if seen is not None:
            try:
                return await sandbox.write_file(path, data, expected_sha256=seen), "seen"
            except FileError as error:
                if error.kind != "changed":
                    raise
        return await sandbox.write_file(path, data), "changed" if seen else "unseen"

    def freshness(self, file: FileData) -> Freshness:
        """Compare a file with what the model last saw of it."""
        seen = self._seen.get(file.path)
        if seen is None:
            return "unseen"
        return "seen" if seen == file.sha256 else "changed"

    def mark_seen(self, file: FileData) -> None:
        """Note that the model knows the file as it is now."""
        if file.sha256 is not None:
            self._seen[file.path] = file.sha256


def in_workspace(file: FileData) -> tuple[str, ...]:
    """Return the file's path relative to the workspace, nothing when it lies elsewhere."""
    prefix = f"{WORKSPACE}/"
    return (file.path.removeprefix(prefix),) if file.path.startswith(prefix) else ()
