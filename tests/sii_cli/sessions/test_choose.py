"""`sii -r` without an id and `/resume`: a session is chosen by its name or any word in it."""

from __future__ import annotations

import shutil
import time

import pytest

from recordings.index.index import RecordingIndex
from recordings.reviews.reviews import add_review
from sii_cli.sessions.choose import ChoosableSessions
from tests.fakes.consenting import consented
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def record(shell: Shell, *said: str) -> None:
    terminal = shell.terminal(script="two")
    terminal.wait_for("sandbox ready")
    for text, answer in zip(said, ("First.", "Second."), strict=False):
        terminal.send(text + "\r")
        terminal.wait_for(answer)
        terminal.wait_for("tokens")
    terminal.send("\x04")
    terminal.exit_code()


def chosen(shell: Shell, *keys: str) -> Terminal:
    terminal = shell.terminal("-r", script="two")
    terminal.wait_for("Resume a session")
    for key in keys:
        terminal.send(key)
        terminal.pump(0.5)
    return terminal


def test_a_session_is_found_by_a_word_of_its_answers(shell: Shell) -> None:
    record(shell, "mend the parser", "and the lexer")
    record(shell, "something else")
    terminal = chosen(shell, "Second")
    terminal.wait_for("content: Second.")
    terminal.send("\r")
    terminal.wait_for("› and the lexer")
    terminal.send("\x04")
    assert terminal.exit_code() == 0


def test_it_is_named_from_the_list_and_found_by_that(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('speaker = "ada"\n')
    consented(shell.home)
    record(shell, "first words")
    terminal = chosen(shell, "first", "\x15words", "\x15")
    terminal.send("nice name")
    terminal.wait_for("nothing is found")
    terminal.send("\x15")
    terminal.wait_for("first words")
    terminal.send("\x1b")
    assert terminal.exit_code() == 0
    (folder,) = [one for one in (shell.home / "recordings").iterdir() if one.is_dir()]
    add_review(folder, "ada", add_tags=["name:nice name", "keep"], key=shell.key)
    terminal = chosen(shell, "nice")
    terminal.wait_for("nice name #keep")
    terminal.send("\x1b")
    assert terminal.exit_code() == 0


def test_leaving_the_list_begins_nothing(shell: Shell) -> None:
    record(shell, "one")
    terminal = chosen(shell, "\x1b")
    assert terminal.exit_code() == 0
    assert len(list((shell.home / "recordings").glob("2*"))) == 1


def test_another_session_is_resumed_at_the_prompt_and_renamed(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "config.toml").write_text('speaker = "ada"\n')
    consented(shell.home)
    record(shell, "the earlier one")
    terminal = shell.terminal(script="hello")
    terminal.wait_for("sandbox ready")
    terminal.send("/resume\r")
    terminal.wait_for("Resume a session")
    terminal.send("\r")
    terminal.wait_for("› the earlier one")
    terminal.wait_for("First.")
    terminal.send("/rename my work #keep\r")
    terminal.wait_for("Named my work.")
    terminal.send("/resume nothing-like-it\r")
    terminal.wait_for("No recording is called")
    terminal.send("\x04")
    assert terminal.exit_code() == 0


def test_a_missing_directory_is_offered_as_a_fork(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(shell, "one")
    monkeypatch.chdir(shell.home)
    shutil.rmtree(shell.workspace)
    done = shell.sii("-r", shell.last().name, "-p", "go on", script="two")
    assert done.returncode == 2
    assert f"is gone: `sii fork {shell.last().name} --at " in done.stderr


def test_at_a_terminal_the_fork_is_made_after_asking(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(shell, "one")
    parent = shell.last()
    monkeypatch.chdir(shell.home)
    shutil.rmtree(shell.workspace)
    argv = shell.argv("-r", parent.name, script="hello")
    terminal = Terminal(argv, cwd=shell.home, env=shell.env)
    terminal.wait_for("Continue in a fork")
    terminal.send("y\r")
    terminal.wait_for("sandbox ready")
    terminal.wait_for("Resumed")
    terminal.send("\x04")
    assert terminal.exit_code() == 0
    assert shell.last().name != parent.name


def test_without_a_terminal_the_id_must_be_said(shell: Shell) -> None:
    done = shell.sii("-p", "go on", "-r")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "-r ID" in done.stderr


@pytest.mark.slow
async def test_ten_thousand_sessions_are_listed_and_searched_in_time(shell: Shell) -> None:
    shell.recorded()
    with RecordingIndex(shell.store) as index:
        index.refresh()
        index.db.executemany(
            "INSERT INTO recordings (id, folder, status, started, ended, first_message, why) "
            "VALUES (?, '', ?, ?, ?, ?, '')",
            [
                (
                    f"20260101-{n:06}-aaaaaa",
                    "damaged" if n % 50 == 0 else "done",
                    n,
                    n + 1,
                    f"task {n}",
                )
                for n in range(10_000)
            ],
        )
        sessions = ChoosableSessions(index)
        for words in ("", "task 99", "zzz"):
            begun = time.thread_time()
            rows = await sessions.find(words)
            assert time.thread_time() - begun < 0.2
            assert bool(rows) is (words != "zzz")
