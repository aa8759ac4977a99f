"""Makes a repository at a commit from the objects of a foreign one, and from nothing else.

The objects are first copied or fetched into a new bare repository. What the commit reaches goes
from there through `git index-pack`, which names each object by its content.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from sii_cli.config.paths import expanded
from sii_cli.queries.workspaces.errors import GitFailed, SourceRefused
from sii_cli.queries.workspaces.extraction import MAX_MEMBERS, MAX_PATH
from sii_cli.queries.workspaces.git import run_git, started
from sii_cli.queries.workspaces.git_objects import (
    copy_objects,
    opened,
    uses_sha256,
)

_INIT = ("init", "--quiet", "--template=")
_HEADS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def is_remote(git: str) -> bool:
    """Tell whether a repository is named by a server's URL, not by a path."""
    return not git.startswith("file://") and ("://" in git or (":" in git.split("/", 1)[0]))


def local_path(git: str, base: Path) -> Path:
    """Return the path of a local repository."""
    if git.startswith("file://"):
        return Path(unquote(urlsplit(git).path))
    return path_from(base, git)


def path_from(base: Path, name: str) -> Path:
    """Return a path of a query file; a `~` with an unknown user is a name like any other."""
    try:
        return base / expanded(name)
    except RuntimeError:
        return base / name


def check_out(source: str | Path, commit: str, folder: Path, max_bytes: int) -> None:
    """Make a new folder a repository at the commit, without anything newer. Blocks.

    `source` is a URL or the path of a repository. Raises `GitFailed`, `SourceRefused`,
    `OSError`.
    """
    with tempfile.TemporaryDirectory(prefix=".objects-", dir=folder.parent) as name:
        objects = Path(name)
        sha256 = _gather(source, objects, max_bytes)
        whole = _resolved(objects, commit, max_bytes)
        run_git(folder, *_INIT, *_format(sha256), max_bytes=max_bytes)
        _transfer(objects, folder, whole, max_bytes)
        if (cut_off := objects / "shallow").exists():
            cut_off.replace(folder / ".git" / "shallow")
    _check_size(folder, whole, max_bytes)
    run_git(folder, "checkout", "--quiet", "--detach", whole, max_bytes=max_bytes)


def _gather(source: str | Path, objects: Path, max_bytes: int) -> bool:
    """Fill a bare repository with all objects; return whether they are named by SHA-256."""
    if isinstance(source, str):
        run_git(objects, *_INIT, "--bare", max_bytes=max_bytes)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        run_git(objects, "fetch", *options, "--", source, *_HEADS, max_bytes=max_bytes, remote=True)
        return False
    with opened(source) as repository:
        sha256 = uses_sha256(repository)
        run_git(objects, *_INIT, "--bare", *_format(sha256), max_bytes=max_bytes)
        copy_objects(repository, objects, max_bytes)
    return sha256


def _format(sha256: bool) -> tuple[str, ...]:
    return ("--object-format=sha256",) if sha256 else ()


def _resolved(objects: Path, commit: str, max_bytes: int) -> str:
    """Return a commit's whole name. Raises `SourceRefused`."""
    try:
        name = run_git(
            objects, "rev-parse", "--verify", f"{commit}^{{commit}}", max_bytes=max_bytes
        )
    except GitFailed:
        raise SourceRefused(f"git: there is no commit {commit}") from None
    return name.strip()


def _transfer(objects: Path, folder: Path, commit: str, max_bytes: int) -> None:
    """Copy what a commit reaches; each object is named by its content."""
    with tempfile.TemporaryFile() as wanted:
        wanted.write(f"{commit}\n".encode())
        wanted.seek(0)
        packing = ("pack-objects", "--quiet", "--revs", "--stdout", "--delta-base-offset")
        with started(objects, *packing, max_bytes=max_bytes, stdin=wanted) as packer:
            assert packer.stdout is not None
            try:
                with started(
                    folder, "index-pack", "--stdin", max_bytes=max_bytes, stdin=packer.stdout
                ) as indexer:
                    packer.stdout.close()  # the indexer alone reads it: the packer ends with it
                    assert indexer.stdout is not None
                    indexer.stdout.read()
            except GitFailed:
                if packer.wait() <= 0:
                    raise  # otherwise the packer's own error is raised


def _check_size(folder: Path, commit: str, max_bytes: int) -> None:
    """Raise `SourceRefused` if the commit is too large to check out: a few small trees can name
    each other so that they are a billion files.
    """
    size = count = 0
    listing = ("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    with started(folder, *listing, max_bytes=max_bytes) as process:
        assert process.stdout is not None
        for entry in _entries(process.stdout):
            facts, _, path = entry.partition(b"\t")
            length = facts.split()[-1:]
            size += int(length[0]) if length and length[0].isdigit() else 0
            count += 1
            if size > max_bytes or count > MAX_MEMBERS or len(path) > MAX_PATH:
                raise SourceRefused(
                    f"checked out it is more than {max_bytes:,} bytes, {MAX_MEMBERS:,} files, or "
                    f"paths of {MAX_PATH:,} bytes"
                )


def _entries(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the entries, which end with NUL. Raises `SourceRefused` for one that is too long."""
    rest = b""
    while chunk := stream.read(1 << 16):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
        if len(rest) > 2 * MAX_PATH:
            raise SourceRefused("a path in it is too long")
