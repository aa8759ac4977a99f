"""The files of the workspace, to be found by parts of their names."""

from __future__ import annotations

import heapq
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sandbox.host_programs import find_program
from sandbox.own_folder import OwnFolder
from sii_cli.queries.workspaces.errors import GitFailed
from sii_cli.queries.workspaces.git import started

MOST_FILES = 500_000
_LARGEST_LIST = 64 << 20
"""Bytes of the list of files."""
_PATIENCE = 10.0
"""Seconds for a program to list the files."""
_RANKED = 2000
"""Paths that are compared; of more the shortest."""
_DEEPEST = 128
"""Folders within one another, as in snapshots."""
_LEFT_OUT = (".git", "node_modules")
_LONGEST = 300
"""Characters of a path that are searched."""
_RARE = 2
"""Characters, the rarest, by which paths are sorted out before their order is looked at."""
_SEARCHED = 0.035
"""Seconds of a thread in which paths are searched, the shortest first."""
_AT_ONCE = 2_000
"""Paths between two looks at the clock."""
FRESH = 3.0
"""Seconds after which a list is read again, beside the search in the one there is."""
_GIT = ("ls-files", "-z", "--others", "--exclude-standard")
_RG = ("--no-config", "--files", "--null", "--hidden", "--glob", "!.git")


class _Listed(NamedTuple):
    """A list of paths, the shortest first; folders end with a slash."""

    paths: list[str]
    lines: list[str]
    """The same in lower case."""
    counts: dict[str, int]
    """How often each character is in them."""
    top: list[str]
    """What is in the workspace itself."""
    at: float


class FileList:
    """Lists the files of a workspace in threads, and searches the list."""

    def __init__(self) -> None:
        self._workspace: Path | None = None
        self._listed: _Listed | None = None
        self._reading = threading.Lock()

    def open(self, workspace: Path) -> None:
        """List the files of this workspace from now on."""
        self._workspace, self._listed = workspace, None
        self.read_beside()

    def find(self, words: str, most: int) -> list[str]:
        """Return the paths that have these characters in this order, the best first.

        Blocks until there is a list.
        """
        listed = self._listed
        if listed is None:
            self.read()
            listed = self._listed
        elif time.monotonic() - listed.at > FRESH:
            self.read_beside()
        return _best(listed, words.lower(), most) if listed is not None else []

    def read_beside(self) -> None:
        """Read the list in a thread, unless one does already."""
        if not self._reading.locked():
            threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Read the list now."""
        with self._reading:
            workspace, listed = self._workspace, self._listed
            if workspace is not None and (listed is None or time.monotonic() - listed.at > FRESH):
                listed = _listed(_paths(workspace))
                if workspace == self._workspace:
                    self._listed = listed


def _listed(files: list[str]) -> _Listed:
    folders: set[str] = set()
    for path in files:
        end = path.rfind("/", 0, _LONGEST)
        while end >= 0 and path[: end + 1] not in folders:
            folders.add(path[: end + 1])
            end = path.rfind("/", 0, end)
    paths = sorted({*files, *folders})
    top = [path for path in paths if path.count("/", 0, -1) == 0]
    paths.sort(key=len)
    lines = [path[:_LONGEST].lower() for path in paths]  # the rest of a longer one finds nothing
    text = "".join(lines)
    counts = {each: text.count(each) for each in set(text)}
    return _Listed(paths, lines, counts, top, time.monotonic())


def _best(listed: _Listed, words: str, most: int) -> list[str]:
    """Return the best paths: the words in the last name, in the path, or only in their order."""
    if not words:
        return listed.top[:most]
    end = time.thread_time() + _SEARCHED
    whole = (place for place, line in enumerate(listed.lines) if words in line)
    found = list(islice(whole, _RANKED)) or list(islice(_in_order(listed, words, end), _RANKED))
    best = heapq.nsmallest(most, found, key=lambda place: _rank(listed.lines[place], words))
    return [listed.paths[place] for place in best]


def _rank(line: str, words: str) -> tuple[int, int, str]:
    name = line.rstrip("/").rpartition("/")[2]
    place = 0 if name.startswith(words) else 1 if words in name else 2
    return place, len(line), line


def _in_order(listed: _Listed, words: str, end: float) -> Iterator[int]:
    """Yield the places of paths that have the characters in their order, until the thread's time
    is at its end.
    """
    needed = Counter(words)
    if any(each not in listed.counts for each in needed):
        return
    rare = sorted(needed, key=lambda each: listed.counts[each])[:_RARE]
    matches = re.compile("".join(f"[^{each}]*+{each}" for each in map(re.escape, words))).match
    lines = listed.lines
    for first in range(0, len(lines), _AT_ONCE):
        places: Sequence[int] = range(first, min(first + _AT_ONCE, len(lines)))
        for each in rare:
            least = needed[each]
            places = [place for place in places if lines[place].count(each) >= least]
        yield from (place for place in places if matches(lines[place]))
        if time.thread_time() > end:
            return


def _paths(workspace: Path) -> list[str]:
    """Return the files of a workspace: what git, else ripgrep lists, else what is found by hand."""
    for list_files in (_by_git, _by_ripgrep):
        with suppress(OSError, GitFailed, subprocess.SubprocessError):
            listed = list_files(workspace)
            if listed is not None:
                return listed
    return _walk(workspace)


def _by_git(workspace: Path) -> list[str] | None:
    """List what no `.gitignore` names, for an empty repository of sii's own.

    The workspace's repository may be the model's work: its settings would choose programs.
    """
    with OwnFolder("files") as own:
        (own / "HEAD").write_text("ref: refs/heads/none\n")
        for name in ("objects", "refs"):
            (own / name).mkdir()
        where = ("-C", os.fspath(workspace), f"--git-dir={own}", f"--work-tree={workspace}")
        with started(own, *where, *_GIT, max_bytes=0, seconds=_PATIENCE) as process:
            return _read(process)


def _by_ripgrep(workspace: Path) -> list[str] | None:
    program = find_program("rg")
    if program is None:
        return None
    with subprocess.Popen(
        [program, *_RG],
        cwd=workspace,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        try:
            listed = _read(process)
        finally:
            timer.cancel()
    return listed if process.returncode == 0 else None


def _read(process: subprocess.Popen[bytes]) -> list[str]:
    """Return the paths that a program lists, ended by NUL; one without an end is killed."""
    assert process.stdout is not None
    data = process.stdout.read(_LARGEST_LIST)
    if len(data) == _LARGEST_LIST:
        process.kill()
    return os.fsdecode(data).split("\0")[:-1][:MOST_FILES]


def _walk(workspace: Path) -> list[str]:
    """List the files by hand, for as long as a program may take."""
    end = time.monotonic() + _PATIENCE
    found: list[str] = []
    root = os.fspath(workspace)
    for folder, names, files in os.walk(root):
        inside = os.path.relpath(folder, root)
        is_deep = inside.count("/") >= _DEEPEST
        names[:] = sorted(name for name in names if name not in _LEFT_OUT and not is_deep)
        found += (name if inside == "." else f"{inside}/{name}" for name in files)
        if len(found) > MOST_FILES or time.monotonic() > end:
            break
    return found[:MOST_FILES]
