"""Links, pipes, sockets, folders and endless files instead of every file that sii keeps.

Each command ends soon, with a sentence where it must, and touches nothing outside.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recordings.reviews.reviews import add_review
from recordings.storage.pack import pack
from sii_cli.batch.sessions import executor
from sii_cli.config.running_server import note_server
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.batch.sii_with_fake_sandboxes import FaultyBackend
from tests.sii_cli.batch.test_batch_command import Place, query
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

SECONDS = 10
"""Of the processor's time, that a command may take."""
WAIT = 60
"""Seconds that it may take on a busy machine: one that waits for a pipe takes them all."""
OUTSIDE = b'{"v":1,"a line of another user without an end'
WHOLE, PACKED, FORK = "whole", "packed", "fork"


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside)


def _link_to_zeros(path: Path, outside: Path) -> None:
    path.symlink_to("/dev/zero")


def _dangling(path: Path, outside: Path) -> None:
    path.symlink_to(outside.with_name("nothing"))


def _loop(path: Path, outside: Path) -> None:
    path.symlink_to(path)


def _pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path, outside: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _directory(path: Path, outside: Path) -> None:
    path.mkdir()


def _sparse(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


KINDS = (_link, _link_to_zeros, _dangling, _loop, _pipe, _socket, _directory, _sparse)


@contextmanager
def _in_time(what: str) -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"{what} takes longer than {WAIT} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(WAIT)
    began = time.process_time()
    try:
        yield
        assert time.process_time() - began < SECONDS, what
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def server() -> Iterator[BatchServer]:
    with in_a_thread(BatchServer()) as server:
        yield server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, server: BatchServer) -> Path:
    """A home and a batch's folder as sessions, reviews, a fork and a batch leave them."""
    root = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        shell = Shell(root, patch)
        whole, packed = shell.recorded(words=60), shell.recorded(words=60)
        add_review(whole, "ann", verdict="approve")
        pack(packed)
        assert shell.sii("fork", whole.name, "--at", "12").returncode == 0
        assert shell.sii("list").returncode == 0
        note_server(shell.home, "http://127.0.0.1:9/v1", os.getpid())
        (shell.home / "history").write_text("\n# 2026\n+a task\n")
        (shell.home / "config.toml").write_text("")
        (shell.home / "models.toml").write_text("")
    place = Place(root, server)
    place.out = root / "batch"
    file = place.write(query("a", "steps=1"))
    place.run(str(file), "--out", str(place.out), "--keep", "answered")
    return root


@pytest.fixture
def copy(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    shutil.copytree(kept, tmp_path / "copy", symlinks=True)
    shutil.rmtree(tmp_path / "copy" / "workspace")
    (tmp_path / "outside").write_bytes(OUTSIDE)
    return Shell(tmp_path / "copy", monkeypatch)


def _role(path: str) -> str:
    """What a file is to sii: two of the same role need not both be tried."""
    path = re.sub(r"\d{8}-\d{6}-[0-9a-f]{6}", "ID", path)
    return re.sub(
        r"blobs/[0-9a-f]{2}(/[0-9a-f]+)?", lambda m: "blobs/ab" + "/cd" * bool(m[1]), path
    )


def _places(root: Path, top: str) -> list[str]:
    """Return a file or folder of every role below a folder."""
    found: dict[str, str] = {}
    for path in sorted((root / top).rglob("*")):
        name = path.relative_to(root).as_posix()
        if "snapshots/" not in name:
            found.setdefault(_role(name), name)
    return list(found.values())


def _plant(path: Path, kind: Callable[[Path, Path], None], outside: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    kind(path, outside)


def _commands(shell: Shell, ref: str) -> list[tuple[str, ...]]:
    return [
        ("list",),
        ("search", "ledger"),
        ("stats",),
        ("show", ref),
        ("tree", ref),
        ("reviews", ref),
        ("inspect-sample", ref),
        ("diff", ref),
        ("replay", ref, "--html", str(shell.workspace / "page.html")),
        ("verify", "--all"),
        ("scan",),
        ("export", str(shell.workspace / "out"), "--all", "--format", "tokens"),
        ("fork", ref, "--at", "2"),
        ("approve", ref, "--speaker", "ann"),
        ("redact", ref, "--yes", "--speaker", "ann"),
        ("pack", "--all"),
        ("pack", "--undo", "--all"),
        ("prune",),
    ]


def _run(shell: Shell, *command: str, script: str | None = None) -> str:
    """Run a command, which ends in time and without a fault of sii; return what it prints."""
    with _in_time(" ".join(command)):
        done = shell.sii(*command, script=script)
    assert "fault of sii itself" not in done.stderr, (command, done.stderr)
    assert "Traceback" not in done.stderr, (command, done.stderr)
    assert "No such option" not in done.stderr, (command, done.stderr)
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_recordings_place_is_followed_or_waited_for(
    copy: Shell, kind: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    root, outside = tmp_path / "copy", tmp_path / "outside"
    fresh = tmp_path / "fresh"
    shutil.copytree(root / "home", fresh, symlinks=True)
    for name in _places(root, "home/recordings"):
        shutil.rmtree(root / "home")
        shutil.copytree(fresh, root / "home", symlinks=True)
        ids = copy.store.ids()
        _plant(root / name, kind, outside)
        bad = next((one for one in ids if one in name), ids[0])
        others = [one for one in ids if one != bad]
        for command in _commands(copy, bad):
            out = _run(copy, *command)
            if command[0] == "list":
                assert all(one in out for one in others), (name, out)
        _run(copy, "-r", bad, "-p", "more", script="hello")
        assert outside.read_bytes() == OUTSIDE, name


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_the_homes_place_is_followed_or_waited_for(
    copy: Shell, kind: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    root, outside = tmp_path / "copy", tmp_path / "outside"
    fresh = tmp_path / "fresh"
    shutil.copytree(root / "home", fresh, symlinks=True)
    for name in _places(root, "home"):
        if name.startswith("home/recordings") or name == "home/config.toml":
            continue
        shutil.rmtree(root / "home")
        shutil.copytree(fresh, root / "home", symlinks=True)
        _plant(root / name, kind, outside)
        for command in (("list",), ("config",), ("verify", "--all"), ("prune",)):
            _run(copy, *command)
        _run(copy, "-p", "hello", script="hello")
        assert outside.read_bytes() == OUTSIDE, name


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_batchs_place_is_followed_or_waited_for(
    copy: Shell,
    kind: Callable[[Path, Path], None],
    tmp_path: Path,
    server: BatchServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SII_BASE_URL", server.base_url)
    monkeypatch.setattr(
        executor, "make_backend", lambda settings: FaultyBackend(0.0, settings.home)
    )
    root, outside = tmp_path / "copy", tmp_path / "outside"
    batch, fresh = root / "batch", tmp_path / "fresh"
    shutil.copytree(batch, fresh, symlinks=True)
    for name in _places(root, "batch"):
        shutil.rmtree(batch)
        shutil.copytree(fresh, batch, symlinks=True)
        _plant(root / name, kind, outside)
        _run(copy, "batch", "status", str(batch))
        _run(copy, "batch", "--resume", str(batch))
        pairs = str(batch / "pairs.jsonl")
        _run(copy, "export", "out", "--pairs", pairs, "--format", "preference")
        assert outside.read_bytes() == OUTSIDE, name
