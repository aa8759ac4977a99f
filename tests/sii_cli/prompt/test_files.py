"""`@` finds files of the workspace by parts of their names, also among very many."""

from __future__ import annotations

import os
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from recordings.events import UserMessage
from recordings.storage.log import read_events
from sandbox.snapshots import remove_folder
from sii_cli.prompt import files as files_module
from sii_cli.prompt.completion import FileCompleter, mention_before
from sii_cli.prompt.files import FileList
from tests.sii_cli.shell import Shell

NAMES = ("src/auth/token.py", "src/auth/user.py", "src/main.py", "docs/a b.md", "README.md")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def files_of(workspace: Path) -> FileList:
    files = FileList()
    files.open(workspace)
    return files


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("tok", "src/auth/token.py"),
        ("main", "src/main.py"),
        ("sau", "src/auth/"),
        ("satk", "src/auth/token.py"),
        ("READ", "README.md"),
        ("auth", "src/auth/"),
    ],
)
def test_the_best_path_comes_first(workspace: Path, words: str, first: str) -> None:
    assert files_of(workspace).find(words, 5)[0] == first


def test_without_words_the_top_is_shown(workspace: Path) -> None:
    assert files_of(workspace).find("", 9) == ["README.md", "docs/", "src/"]


def test_what_git_ignores_is_left_out_and_its_settings_run_nothing(workspace: Path) -> None:
    (workspace / ".gitignore").write_text("*.log\n")
    (workspace / "big.log").write_text("")
    monitor = workspace / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {workspace}/run\n")
    monitor.chmod(0o755)
    subprocess.run(["git", "init", "-q"], cwd=workspace, check=True)
    subprocess.run(["git", "config", "core.fsmonitor", str(monitor)], cwd=workspace, check=True)
    files = files_of(workspace)
    assert files.find("big", 5) == []
    assert files.find("token", 5) == ["src/auth/token.py"]
    assert not (workspace / "run").exists()


@pytest.mark.hostile
def test_the_workspaces_repository_chooses_no_program(workspace: Path, tmp_path: Path) -> None:
    """Its index lacks a folder, which git would fetch by a program that its settings name."""
    origin, cloned, run = tmp_path / "origin", tmp_path / "cloned", tmp_path / "run"

    def git(*words: str, at: Path = cloned) -> str:
        name = ("-c", "user.name=eve", "-c", "user.email=eve@example.org")
        done = subprocess.run(
            ["git", *name, *words], cwd=at, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    for name in ("far/inner/file", "near/file"):
        (origin / name).parent.mkdir(parents=True)
        (origin / name).write_text(name)
    git("init", "-q", at=origin)
    git("add", ".", at=origin)
    git("commit", "-qm", "all", at=origin)
    git("clone", "-q", str(origin), str(cloned), at=tmp_path)
    git("sparse-checkout", "init", "--cone", "--sparse-index")
    git("sparse-checkout", "set", "near")
    for sha in git("rev-parse", "HEAD:far", "HEAD:far/inner").split():
        (cloned / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    for setting, value in (
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.uploadpack", f"touch {run}; git-upload-pack"),
    ):
        git("config", setting, value)
    assert files_of(cloned).find("file", 5) == ["near/file"]
    assert not run.exists()


@pytest.mark.hostile
@pytest.mark.parametrize("program", ["git", None])
def test_traps_in_the_workspace_hold_nothing_up(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    if program is None:
        monkeypatch.setattr(files_module, "_by_git", lambda workspace: None)
        monkeypatch.setattr(files_module, "_by_ripgrep", lambda workspace: None)
    monkeypatch.setattr(files_module, "_PATIENCE", 1.0)
    os.mkfifo(workspace / "docs" / ".gitignore")
    (workspace / "outside").symlink_to("/")
    fd = os.open(workspace, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    begun = time.monotonic()
    assert "src/main.py" in files_of(workspace).find("main", 5)
    assert time.monotonic() - begun < 10
    assert not any("outside/" in path for path in files_of(workspace).find("outside", 5))
    remove_folder(workspace / "d")  # pytest cannot


@pytest.mark.hostile
def test_names_that_nearly_match_are_searched_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"{'a' * 240}{n}" for n in range(20_000)]
    monkeypatch.setattr(files_module, "_paths", lambda workspace: many)
    files = files_of(tmp_path)
    files.find("", 1)
    begun = time.thread_time()
    assert files.find("aaxb", 5) == []
    assert files.find("a77a", 5) == []
    assert files.find("aaa7", 1) == [f"{'a' * 240}7"]
    assert time.thread_time() - begun < 3


@pytest.mark.hostile
def test_folders_without_an_end_take_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"{n}/{'d/' * 2000}file" for n in range(100)]
    monkeypatch.setattr(files_module, "_paths", lambda workspace: many)
    tracemalloc.start()
    files_of(tmp_path).find("file", 5)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30e6


def test_a_hundred_thousand_files_are_searched_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [f"package{n % 500}/module{n % 7}/part_{n}/file_{n}.py" for n in range(100_000)]
    monkeypatch.setattr(files_module, "_paths", lambda workspace: many)
    files = files_of(tmp_path)
    files.find("", 1)
    for words in ("file_99", "p4m3f", "zzzz", "pmpfpy99999", "e_ee_ee_", "yfmp", "______"):
        seconds = min(_timed(files, words) for _ in range(3))
        assert seconds < 0.06, f"{words}: {seconds:.3f} s"


def _timed(files: FileList, words: str) -> float:
    begun = time.thread_time()
    files.find(words, 30)
    return time.thread_time() - begun


def completions(workspace: Path, text: str) -> list[tuple[str, str]]:
    completer = FileCompleter(files_of(workspace))
    document = Document(text, len(text))
    found = completer.get_completions(document, CompleteEvent())
    return [(one.text, one.display_text) for one in found]


def test_a_path_with_spaces_is_quoted(workspace: Path) -> None:
    assert ('"docs/a b.md"', "docs/a b.md") in completions(workspace, "see @docs")


@pytest.mark.parametrize("typed", ["@../secret", "@/etc/pass", "@~/x"])
def test_a_path_outside_inserts_nothing_and_says_why(workspace: Path, typed: str) -> None:
    rows = completions(workspace, typed)
    assert [text for text, _ in rows] == ["", ""]
    assert "outside of the workspace" in rows[0][1]


def test_a_name_with_a_line_break_inserts_nothing_and_says_why(workspace: Path) -> None:
    (workspace / "odd\nname").write_text("")
    assert completions(workspace, "@odd") == [
        ("", "'odd\\nname' has a character that cannot be typed"),
        ("", "Rename it to name it here."),
    ]


def test_the_prompt_says_why_a_path_outside_cannot_be_named(shell: Shell) -> None:
    terminal = shell.terminal(script="hello")
    terminal.wait_for("sandbox ready")
    terminal.send("Read @../secret")
    terminal.wait_for("../secret is outside of the workspace")


def test_enter_takes_a_chosen_file_and_backspace_offers_files_again(shell: Shell) -> None:
    (shell.workspace / "invoices.py").write_text("")
    (shell.workspace / "inventory.py").write_text("")
    terminal = shell.terminal(script="hello")
    terminal.wait_for("sandbox ready")
    terminal.send("Read @inv")
    terminal.wait_for("invoices.py")
    terminal.send("x")
    terminal.wait_for("invoices.py", gone=True)
    terminal.pump(0.3)
    terminal.send("\x7f")
    terminal.wait_for("invoices.py")
    terminal.send("\t\r")
    terminal.pump(0.5)
    assert not (shell.home / "recordings").exists(), "nothing is sent"
    terminal.send(" too\r")
    terminal.wait_for(".py too")
    terminal.send("\x04")
    terminal.wait_for("Recorded:")
    [said] = [e.data.text for e in read_events(shell.last()) if isinstance(e.data, UserMessage)]
    assert said in ("Read @invoices.py too", "Read @inventory.py too")


@pytest.mark.parametrize(
    ("line", "words"),
    [("@", ""), ("a @src/m", "src/m"), ("@@src", "src"), ("mail@host", None), ("@a b", None)],
)
def test_a_mention_begins_a_word(line: str, words: str | None) -> None:
    assert mention_before(line) == words


def test_the_line_is_completed_at_the_prompt(shell: Shell) -> None:
    (shell.workspace / "invoices.py").write_text("")
    terminal = shell.terminal(script="hello")
    terminal.wait_for("sandbox ready")
    terminal.send("Read @inv")
    terminal.wait_for("invoices.py")
    terminal.send("\t")
    terminal.wait_for("› Read @invoices.py")
