"""Runs ripgrep in the sandbox for the search tools; puts its failures into words."""

from __future__ import annotations

import asyncio
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from sandbox.protocol import WORKSPACE, ProcessResult, SandboxProvider
from tools.base import ToolError
from tools.output import show

MAX_OUTPUT = 8 << 20
"""Bytes of what one run prints that are looked at."""
_TIMEOUT = 30.0
_NOT_RUN = (126, 127)
_SPECIAL = re.compile(r"[\\*?\[\]{}!]")
_SYSTEM_ERROR = re.compile(rb"\(os error \d+\)$", re.MULTILINE)
_COMPLAINT = 1_000
"""Bytes of ripgrep's words that are shown."""


def all_field() -> Any:
    """Return the parameter that takes hidden and ignored files in."""
    what = "Also files that are hidden or left out by .gitignore (never those in .git)."
    return Field(False, description=what)


@dataclass(frozen=True, slots=True)
class SearchOutput:
    """What ripgrep printed."""

    output: bytes
    visible: frozenset[bytes] | None = None
    """Paths that are searched; empty for all. A glob reaches hidden and ignored files too, which
    ripgrep lets it overrule."""
    truncated: bool = False
    """There was more than `MAX_OUTPUT`."""
    unread: int = 0
    """Files and directories that could not be read."""

    def counts(self, path: bytes) -> bool:
        """Whether what was found in a file is to be shown."""
        return self.visible is None or path in self.visible

    @property
    def notes(self) -> list[str]:
        """What is missing, as text."""
        notes = []
        if self.truncated:
            notes.append("[there is more than was looked at: narrow the search]")
        if self.unread:
            notes.append(f"[left out because they cannot be read: {self.unread:,}]")
        return notes


class Ripgrep:
    """Searches below one path at a time.

    It runs in / and is given paths from there, so that ripgrep itself tells of a missing path.
    """

    def __init__(self, sandbox: SandboxProvider) -> None:
        self._sandbox = sandbox

    async def search(
        self, options: list[str], path: str, *, glob: str | None, everything: bool
    ) -> SearchOutput:
        """Run ripgrep; with `everything` also on hidden and ignored files. Raises `ToolError`."""
        target = posixpath.normpath(posixpath.join(WORKSPACE, path)).lstrip("/") or "."
        if everything:
            options = [*options, "--hidden", "--no-ignore"]
        if glob is None:
            return await self._run(options, target, path)
        options = [*options, "--glob", _anchored(glob, target)]
        if everything:
            return await self._run([*options, "--glob", "!.git"], target, path)
        found, listed = await asyncio.gather(
            self._run(options, target, path), self._run(["--files"], target, path)
        )
        return SearchOutput(
            found.output,
            frozenset(listed.output.split(b"\0")),
            found.truncated or listed.truncated,
            found.unread,
        )

    async def _run(self, options: list[str], target: str, path: str) -> SearchOutput:
        argv = ["rg", "--no-config", "--color=never", "--null", "--no-require-git"]
        argv += [*options, "--", target]
        if any("\0" in argument for argument in argv):
            raise ToolError("bad_arguments", "The arguments hold a NUL character. Not run.")
        sandbox = await self._sandbox()
        try:
            result = await sandbox.run(argv, timeout=_TIMEOUT, cwd="/", max_output=MAX_OUTPUT)
        except TimeoutError:
            message = f"The search took more than {_TIMEOUT:.0f} s and was ended."
            raise ToolError("timeout", f"{message} Give a narrower `path`.") from None
        return _found(result, target, path)


def from_workspace(path: bytes) -> bytes:
    """Turn a path that ripgrep printed into one that other tools take."""
    path = path.removeprefix(b"./")
    inside = f"{WORKSPACE[1:]}/".encode()
    return path.removeprefix(inside) if path.startswith(inside) else b"/" + path


def _anchored(glob: str, target: str) -> str:
    """Make a glob with a slash relative to the path that is searched."""
    negated = "!" if glob.startswith("!") else ""
    glob = glob.removeprefix("!")
    if glob.startswith(("/", "../")):
        message = f"{glob} is not relative to the directory that is searched."
        raise ToolError("bad_arguments", f"{message} Give the directory as `path`.")
    if "/" not in glob:
        return negated + glob
    folder = "" if target == "." else "/" + _SPECIAL.sub(r"\\\g<0>", target)
    return f"{negated}{folder}/{glob.removeprefix('./')}"


def _found(result: ProcessResult, target: str, path: str) -> SearchOutput:
    complaints = result.stderr.strip()
    if result.exit_code in _NOT_RUN or result.exit_code < 0:
        message = f"ripgrep cannot be run here: {show(complaints) or 'it was killed'}."
        raise ToolError("no_ripgrep", f"{message} Search with bash: find, grep -rn.")
    # Of what lies below the path a part may be closed: that is not a failure of the whole.
    unread = len(_SYSTEM_ERROR.findall(complaints))
    itself = complaints.removeprefix(b"rg: ").startswith(f"{target}: ".encode())
    if result.exit_code == 2 and not result.stdout and (itself or not unread):
        raise _failure(complaints, path)
    return SearchOutput(result.stdout, truncated=result.truncated, unread=unread)


def _failure(complaints: bytes, path: str) -> ToolError:
    words = show(complaints[:_COMPLAINT])
    if "No such file or directory" in words:
        return ToolError("not_found", f"There is no file or directory {path}.")
    if "Permission denied" in words:
        return ToolError("permission", f"Permission denied: {path}.")
    return ToolError("bad_pattern", words)
