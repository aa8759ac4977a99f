"""Repositories that others made: their settings, hooks and helpers do nothing on the host."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sii_cli.queries.queries import Query
from sii_cli.queries.validate import validate
from sii_cli.queries.workspaces import git as git_module
from sii_cli.queries.workspaces.copies import REPOSITORIES, make_workspace
from sii_cli.queries.workspaces.errors import GitFailed, WorkspaceUnavailable
from sii_cli.queries.workspaces.git import run_git
from sii_cli.queries.workspaces.git_objects import holds, opened
from sii_cli.queries.workspaces.repositories import check_out

pytestmark = pytest.mark.hostile

MISSING = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *words: str, **options: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *settings, *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, input=options.get("stdin", "")
    ).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "a.txt").write_text("two")
    git(folder, "commit", "-qam", "second")
    return folder


def head(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD").strip()


def query(commit: str, name: str = "repo") -> Query:
    workspace = {"git": name, "commit": commit}
    return Query.model_validate({"id": "a", "query": "x", "workspace": workspace})


def mistakes(tmp_path: Path, commit: str, name: str = "repo") -> list[str]:
    path = tmp_path / "queries.jsonl"
    path.write_text(json.dumps(query(commit, name).model_dump(mode="json", exclude_unset=True)))
    return [mistake.text for mistake in validate(path).mistakes]


class Trap:
    """A program that leaves a mark when it is run."""

    def __init__(self, folder: Path) -> None:
        self.mark = folder / "mark"
        self.program = folder / "trap"
        self.program.write_text(f"#!/bin/sh\ntouch {self.mark}\n")
        self.program.chmod(0o755)

    @property
    def sprung(self) -> bool:
        return self.mark.exists()


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    folder = tmp_path / "trap"
    folder.mkdir()
    return Trap(folder)


def promisor(repository: Path, trap: Trap) -> None:
    """A partial clone, whose missing objects git fetches by a program of the config's."""
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(repository),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(trap.program),
    }
    for name, value in settings.items():
        git(repository, "config", name, value)


def external_protocol(repository: Path, trap: Trap) -> None:
    promisor(repository, trap)
    git(repository, "config", "remote.origin.url", f"ext::{trap.program}")
    git(repository, "config", "protocol.allow", "always")


def programs(repository: Path, trap: Trap) -> None:
    """Whatever a config can name to be run."""
    names = (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "uploadpack.packObjectsHook",
        "credential.helper",
        "diff.external",
        "gpg.program",
        "filter.evil.smudge",
        "filter.evil.clean",
        "filter.evil.process",
        "merge.evil.driver",
    )
    for name in names:
        git(repository, "config", name, str(trap.program))


def included(repository: Path, trap: Trap) -> None:
    other = trap.program.with_name("config")
    other.write_text(f"[core]\n\tfsmonitor = {trap.program}\n\thooksPath = {trap.program.parent}\n")
    git(repository, "config", "include.path", str(other))


def hooks(repository: Path, trap: Trap) -> None:
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"):
        (repository / ".git" / "hooks").mkdir(exist_ok=True)
        (repository / ".git" / "hooks" / name).symlink_to(trap.program)


TRAPS: dict[str, Callable[[Path, Trap], None]] = {
    "a promisor remote": promisor,
    "an ext:: remote": external_protocol,
    "programs in the config": programs,
    "an included config": included,
    "hooks": hooks,
}


@pytest.mark.parametrize("what", TRAPS)
def test_validation_runs_nothing_of_a_repository(
    tmp_path: Path, repository: Path, trap: Trap, what: str
) -> None:
    commit = head(repository)
    TRAPS[what](repository, trap)
    assert mistakes(tmp_path, commit) == []
    assert mistakes(tmp_path, MISSING) == [f"workspace: repo: it has no commit {MISSING}."]
    assert not trap.sprung


def test_validation_starts_no_program(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = head(repository)

    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program is started")

    monkeypatch.setattr(subprocess.Popen, "__init__", started)
    assert mistakes(tmp_path, commit) == []
    assert mistakes(tmp_path, MISSING) != []


@pytest.mark.parametrize("what", TRAPS)
def test_a_workspace_is_made_without_running_anything_of_the_repository(
    tmp_path: Path, repository: Path, trap: Trap, what: str
) -> None:
    (repository / ".gitattributes").write_text("*.txt filter=evil merge=evil diff=evil\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "attributes")
    commit = head(repository)
    TRAPS[what](repository, trap)
    made = make_workspace(query(commit), tmp_path, tmp_path / "out")
    with pytest.raises(WorkspaceUnavailable):
        make_workspace(query(MISSING), tmp_path, tmp_path / "out")
    assert (made / "a.txt").read_text() == "two"
    assert not trap.sprung
    config = (made / ".git" / "config").read_text()
    assert "trap" not in config
    assert not (made / ".git" / "hooks").exists()


def test_settings_of_the_user_and_the_system_do_not_act(
    tmp_path: Path, repository: Path, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = head(repository)
    configuration = tmp_path / "config"
    configuration.write_text(
        f"[core]\n\tfsmonitor = {trap.program}\n\thooksPath = {trap.program.parent}\n"
    )
    (trap.program.parent / "post-checkout").symlink_to(trap.program)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, str(configuration))
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(trap.program.parent))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap.program))
    make_workspace(query(commit), tmp_path, tmp_path / "out")
    assert not trap.sprung


def test_objects_of_other_places_are_not_taken(tmp_path: Path, repository: Path) -> None:
    commit = head(repository)
    for name, arguments in (("shared", ("--shared",)), ("reference", ("--reference", "repo"))):
        command = ["git", "clone", "-q", *arguments, "repo", name]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        assert "borrows objects" in mistakes(tmp_path, commit, name)[0]
        with pytest.raises(WorkspaceUnavailable, match="borrows objects"):
            make_workspace(query(commit, name), tmp_path, tmp_path / "out")
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").symlink_to(repository / ".git")
    for name in ("tree", "linked"):
        assert "lie elsewhere" in mistakes(tmp_path, commit, name)[0]
        with pytest.raises(WorkspaceUnavailable, match="lie elsewhere"):
            make_workspace(query(commit, name), tmp_path, tmp_path / "out")


def test_objects_that_are_links_or_fifos_are_not_read(tmp_path: Path, repository: Path) -> None:
    commit = head(repository)
    path = repository / ".git" / "objects" / commit[:2] / commit[2:]
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(WorkspaceUnavailable):
        make_workspace(query(commit), tmp_path, tmp_path / "out")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(WorkspaceUnavailable):
        make_workspace(query(commit), tmp_path, tmp_path / "out")


def test_a_partial_clone_that_lacks_objects_is_told_so(tmp_path: Path, repository: Path) -> None:
    commit = head(repository)
    blob = git(repository, "rev-parse", f"{commit}:a.txt").strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(WorkspaceUnavailable, match=f"git: .*{blob}"):
        make_workspace(query(commit), tmp_path, tmp_path / "out")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("digits", [7, 12, 40])
def test_a_commit_is_found_among_loose_and_packed_objects(
    repository: Path, tmp_path: Path, packed: bool, digits: int
) -> None:
    commits = git(repository, "rev-list", "--all").split()
    if packed:
        git(repository, "gc", "-q")
    with opened(repository) as held:
        assert all(holds(held, commit[:digits].upper()) for commit in commits)
        assert not holds(held, MISSING[:digits])
    made = make_workspace(query(commits[-1][:digits]), tmp_path, tmp_path / "out")
    assert (made / "a.txt").read_text() == "one"
    assert git(made, "rev-list", "--all", "HEAD").split() == [commits[-1]]


def test_shallow_bare_and_sha256_repositories_are_taken(tmp_path: Path, repository: Path) -> None:
    commit = head(repository)
    sources = {"shallow": ("--depth=1",), "bare": ("--bare",)}
    for name, arguments in sources.items():
        command = ["git", "clone", "-q", *arguments, repository.as_uri(), name]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        made = make_workspace(query(commit, name), tmp_path, tmp_path / "out")
        assert (made / "a.txt").read_text() == "two"
        assert git(made, "status", "--porcelain") == ""
    assert len(git(tmp_path / "shallow", "log", "--format=%h").split()) == 1
    long = tmp_path / "long"
    long.mkdir()
    git(long, "init", "-q", "--object-format=sha256")
    git(long, "commit", "-qm", "x", "--allow-empty")
    made = make_workspace(query(head(long), "long"), tmp_path, tmp_path / "out")
    assert head(made) == head(long)


def test_a_file_url_is_read_like_a_path(tmp_path: Path, repository: Path, trap: Trap) -> None:
    commit = head(repository)
    git(repository, "config", "uploadpack.packObjectsHook", str(trap.program))
    wanted = query(commit, repository.as_uri())
    assert (make_workspace(wanted, tmp_path, tmp_path / "out") / "a.txt").exists()
    assert mistakes(tmp_path, commit, repository.as_uri()) == []
    assert not trap.sprung


@pytest.mark.parametrize("scheme", ["ext", "file+ssh", "fd", "ftp", "git-remote-x"])
def test_other_protocols_are_refused(tmp_path: Path, trap: Trap, scheme: str) -> None:
    for url in (f"{scheme}::{trap.program} x", f"{scheme}://example.invalid/x"):
        with pytest.raises(WorkspaceUnavailable, match="git: "):
            make_workspace(query(MISSING, url), tmp_path, tmp_path / "out")
    assert not trap.sprung


def test_a_tree_that_is_a_billion_files_is_not_checked_out(
    tmp_path: Path, repository: Path
) -> None:
    blob = git(repository, "hash-object", "-w", "--stdin", stdin="x").strip()
    tree = git(repository, "mktree", stdin=f"100644 blob {blob}\tf\n").strip()
    for _ in range(10):
        lines = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
        tree = git(repository, "mktree", stdin=lines).strip()
    commit = git(repository, "commit-tree", tree, "-m", "bomb").strip()
    with pytest.raises(WorkspaceUnavailable, match="checked out it is more than"):
        make_workspace(query(commit), tmp_path, tmp_path / "out")


def test_files_larger_than_the_limit_are_not_checked_out(tmp_path: Path, repository: Path) -> None:
    (repository / "zeros").write_bytes(bytes(8 << 20))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "zeros")
    with pytest.raises(WorkspaceUnavailable, match="checked out it is more than 1,048,576 bytes"):
        make_workspace(query(head(repository)), tmp_path, tmp_path / "out", 1 << 20)
    assert not list((tmp_path / "out").rglob("zeros"))


def test_a_program_of_the_working_directory_is_not_run(
    tmp_path: Path, repository: Path, trap: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = head(repository)
    work = tmp_path / "work"
    (work / "bin").mkdir(parents=True)
    for place in (work, work / "bin"):
        (place / "git").symlink_to(trap.program)
        (place / "ssh").symlink_to(trap.program)
    monkeypatch.chdir(work)
    for path in (".", "", "bin", "./bin", str(work), str(work / "bin")):
        monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    make_workspace(query(commit), tmp_path, tmp_path / "out")
    assert not trap.sprung


def test_a_git_that_hangs_is_ended(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_module, "SECONDS", 0.5)
    before, begun = set(threading.enumerate()), time.monotonic()
    with pytest.raises(GitFailed, match=r"longer than 0\.5 s"):
        run_git(repository, "-c", "alias.wait=!sleep 60 #", "wait", max_bytes=1 << 20)
    assert time.monotonic() - begun < 10
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("is_link", [True, False])
def test_a_clone_that_came_with_a_batch_is_not_used(
    tmp_path: Path, repository: Path, is_link: bool
) -> None:
    """A link in its place would show a folder of the host, and another tree another answer."""
    secret, out, wanted = tmp_path / "secret", tmp_path / "out", query(head(repository))
    secret.mkdir()
    (secret / "id_rsa").write_text("key")
    key = hashlib.sha256(f"{repository}\0{head(repository)}".encode()).hexdigest()[:16]
    planted = out / REPOSITORIES / key
    planted.parent.mkdir(parents=True)
    if is_link:
        planted.symlink_to(secret)
    else:
        planted.mkdir()
        (planted / "id_rsa").write_text("key")
    try:
        made = make_workspace(wanted, tmp_path, out)
    except WorkspaceUnavailable:
        assert is_link
    else:
        assert not (made / "id_rsa").exists()
        assert (made / "a.txt").read_text() == "two"
    assert (secret / "id_rsa").read_text() == "key"


def test_a_link_in_the_place_of_a_batchs_clones_is_refused(
    tmp_path: Path, repository: Path
) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (out / REPOSITORIES).symlink_to(elsewhere)
    with pytest.raises(WorkspaceUnavailable, match="is a link"):
        make_workspace(query(head(repository)), tmp_path, out)
    assert list(elsewhere.iterdir()) == []


class _Internal(SimpleHTTPRequestHandler):
    """A server of the company's, which gives its repositories to those who have a password."""

    def do_GET(self) -> None:
        if self.headers["authorization"] is None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_leads_git_nowhere_else_and_no_password_goes_along(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "update-server-info")
    (tmp_path / "user").mkdir()
    netrc = tmp_path / "user" / ".netrc"
    netrc.write_text("machine localhost login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(netrc.parent))
    asks = tmp_path / "asks"
    asks.write_text(f"#!/bin/sh\ntouch {tmp_path / 'asked'}; echo me\n")
    asks.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(asks))
    commit = head(repository)
    (tmp_path / "out").mkdir()
    internal = partial(_Internal, directory=str(repository))
    with serving(internal) as place:

        class Leading(_Internal):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", place.replace("127.0.0.1", "localhost") + self.path)
                self.end_headers()

        with serving(Leading) as theirs, pytest.raises(GitFailed):
            check_out(f"{theirs}/.git", commit, tmp_path / "out", 1 << 30)
        url = place.replace("127.0.0.1", "localhost")
        with pytest.raises(GitFailed):
            check_out(f"{url}/.git", commit, tmp_path / "out", 1 << 30)
    assert not (tmp_path / "asked").exists()


@contextmanager
def serving(handler: Callable[..., SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
