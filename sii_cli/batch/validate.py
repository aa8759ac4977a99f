"""Everything that is wrong with a query file, found before anything starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sandbox.network.hosts import AllowList
from sii_cli.batch.queries import GitWorkspace, Query
from sii_cli.batch.query_files import Mistake, QueryFile, read_query_file
from sii_cli.batch.workspaces import fault_of
from tools.registry import TOOL_NAMES


def validate(path: Path) -> QueryFile:
    """Read a query file and look at what it names: tools, directories, commits.

    Blocks. Raises `UsageError` when there is nothing to read.
    """
    read = read_query_file(path)
    found = [
        Mistake(line, text)
        for query, line in zip(read.queries, read.lines, strict=True)
        for text in _faults(query, path.parent)
    ]
    mistakes = sorted([*read.mistakes, *found], key=lambda mistake: mistake.line)
    return QueryFile(read.path, read.queries, read.lines, tuple(mistakes))


def _faults(query: Query, base: Path) -> Iterator[str]:
    unknown = [name for name in query.tools if name not in TOOL_NAMES]
    if unknown:
        yield f"tools: there is no {unknown[0]!r}; there are {', '.join(TOOL_NAMES)}."
    try:
        AllowList(query.allow_net)
    except ValueError as error:
        yield f"allow_net: {error}"
    if (fault := fault_of(query, base)) is not None:
        yield f"workspace: {fault}"
    elif isinstance(query.workspace, GitWorkspace):
        repository = base / Path(query.workspace.git).expanduser()
        if repository.is_dir() and not _has_commit(repository, query.workspace.commit):
            yield f"workspace: {query.workspace.git} has no commit {query.workspace.commit}."


@cache
def _has_commit(repository: Path, commit: str) -> bool:
    command = ["git", "-C", str(repository), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
