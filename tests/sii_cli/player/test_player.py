"""`sii replay` in a terminal: play, step, jump, seek, open what is folded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.events import (
    LiveDelta,
    ModelResponse,
    Observation,
    Permission,
    RoundEnd,
    ToolCall,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import read_events
from recordings.storage.pack import pack
from tests.recordings.recording_sessions import session_start
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def record(shell: Shell, calls: int = 3) -> Path:
    """A round of some calls; the second one fails, each prints 30 lines."""
    _, folder = shell.store.create_folder()
    recorder = Recorder.create(folder, folder.name)
    recorder.record(session_start(), "harness")
    recorder.record(UserMessage(round=1, text="the first words"), "human")
    for step in range(1, calls + 1):
        recorder.live(LiveDelta(step, "content", f"streaming {step}"))
        recorder.record(
            ModelResponse(
                step=step,
                attempt=1,
                content=f"streaming {step}",
                finish_reason="tool_calls",
                complete=True,
            ),
            "model",
        )
        command = {"command": f"command-{step}"}
        approval = Permission(by="mode", mode="auto")
        recorder.record(
            ToolCall(
                step=step,
                call_id=f"c{step}",
                index=0,
                name="bash",
                arguments="",
                parsed=command,
                approval=approval,
            ),
            "model",
        )
        text = "\n".join(f"line {step}.{number}" for number in range(30))
        code = 1 if step == 2 else 0
        recorder.record(
            Observation(
                step=step, call_id=f"c{step}", name="bash", text=text, exit_code=code, seconds=0.1
            ),
            "tool",
        )
    recorder.record(RoundEnd(round=1, status="answered", steps=calls), "harness")
    recorder.record(UserMessage(round=2, text="the last words"), "human")
    recorder.record(RoundEnd(round=2, status="limit", steps=0, reason="too many"), "harness")
    recorder.close()
    return folder


def play(shell: Shell, *more: str, rows: int = 40) -> Terminal:
    argv = shell.argv("replay", "last", *more)
    terminal = Terminal(argv, cwd=shell.workspace, env=shell.env, rows=rows)
    terminal.wait_for("q quit")
    return terminal


@pytest.fixture
def paused(shell: Shell) -> Iterator[Terminal]:
    record(shell)
    terminal = play(shell, "--step")
    terminal.wait_for("‖ 0:00")
    yield terminal
    terminal.send("q")
    assert terminal.exit_code() == 0, terminal.everything()


def shows(terminal: Terminal, *texts: str, without: tuple[str, ...] = ()) -> None:
    """Wait until all these stand in the window, and none of those."""
    begun = time.monotonic()
    while True:
        window = "\n".join(terminal.lines())
        if all(text in window for text in texts) and not any(text in window for text in without):
            return
        assert time.monotonic() - begun < 20, window
        terminal.pump()


def test_it_plays_to_the_end_by_itself(shell: Shell) -> None:
    record(shell)
    terminal = play(shell, "--speed", "100")
    shows(terminal, "the last words", "Stopped at a limit: too many", "■")
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_steps_go_on_and_back(paused: Terminal) -> None:
    paused.send("nn")
    shows(paused, "the first words", without=("streaming 1",))
    paused.send("n")
    shows(paused, "streaming 1", without=("command-1",))
    paused.send("\x1b[C")
    shows(paused, "● bash  command-1", without=("line 1.0",))
    paused.send("n")
    shows(paused, "line 1.29", without=("streaming 2",))
    paused.send("pp")
    shows(paused, "streaming 1", without=("command-1",))
    paused.send("pppp")
    shows(paused, "‖ 0:00", without=("the first words",))


def test_jumps_find_calls_errors_and_words(shell: Shell, paused: Terminal) -> None:
    paused.send("cc")
    shows(paused, "command-2", without=("line 2.0",))
    called = [e.seq for e in read_events(shell.last()) if isinstance(e.data, ToolCall)]
    shows(paused, f" event {called[1]} of ")  # as `sii fork --at` wants it
    paused.send("e")
    shows(paused, "line 2.29", without=("command-3",))
    paused.send("u")
    shows(paused, "the last words", without=("too many",))
    paused.send("u")
    shows(paused, "there is none after")
    paused.send("C")
    shows(paused, "command-3", without=("line 3.0", "there is none"))
    paused.send("E")
    shows(paused, "line 2.29", without=("command-3",))
    paused.send("U")
    shows(paused, "the first words", without=("streaming 1",))


def test_what_is_folded_opens_and_folds_again(paused: Terminal) -> None:
    paused.send("cn")
    shows(paused, "… +18 lines", without=("line 1.15",))
    paused.send("o")
    shows(paused, "line 1.0", "line 1.15", "line 1.29", without=("… +18",))
    paused.send("\r")
    shows(paused, "… +18 lines", without=("line 1.15",))


def test_one_scrolls_over_what_was_opened(shell: Shell) -> None:
    record(shell)
    terminal = play(shell, "--step", rows=14)
    terminal.send("cno")
    shows(terminal, "line 1.0", "line 1.11", without=("line 1.12",))
    terminal.send("\x1b[B\x1b[B")
    shows(terminal, "line 1.13", without=("line 1.0\n", "line 1.14"))
    terminal.send("\x1b[6~\x1b[6~")
    shows(terminal, "line 1.29", without=("line 1.15",))
    terminal.send("\x1b[5~")
    shows(terminal, "line 1.18", without=("line 1.29",))
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_the_bar_seeks_and_the_pace_changes(paused: Terminal) -> None:
    paused.send("G")
    shows(paused, "too many", "■")
    paused.send("0")
    shows(paused, "0:00", without=("the first words", "■"))
    paused.send("++")
    shows(paused, "×4")
    paused.send("---")
    shows(paused, "×0.5")
    paused.send("+ ")
    shows(paused, "too many", "■")


def test_another_width_is_drawn_again(paused: Terminal) -> None:
    paused.send("G")
    shows(paused, "too many")
    paused.resize(30, 60)
    shows(paused, "too many", "━ ")
    assert all(len(line) <= 60 for line in paused.lines())


def test_a_packed_recording_is_played_too(shell: Shell) -> None:
    pack(record(shell))
    terminal = play(shell, "--step")
    terminal.send("G")
    shows(terminal, "too many")
    terminal.send("u")
    shows(terminal, "there is none after")
    terminal.send("q")
    assert terminal.exit_code() == 0


def test_a_damaged_recording_ends_in_one_sentence(shell: Shell) -> None:
    folder = record(shell)
    log = folder / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:6], b"{damaged}\n", *lines[7:]]))
    terminal = Terminal(shell.argv("replay", "last"), cwd=shell.workspace, env=shell.env)
    assert terminal.exit_code() == 4
    assert "is damaged" in terminal.everything()


def test_without_a_terminal_it_is_printed(shell: Shell) -> None:
    record(shell)
    done = shell.sii("replay", "last", "--speed", "1000")
    assert done.returncode == 0
    assert "the last words" in done.stdout
    assert "q quit" not in done.stdout
