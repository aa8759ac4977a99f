"""The prompt in a real pty, as a human sees and types it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from recordings.events import Compaction, Interrupt, RoundEnd, SessionEnd, UserMessage
from recordings.storage.log import read_events
from tests.sii_cli.terminal import Terminal

ESC, CTRL_C, CTRL_D, CTRL_J, CTRL_R, UP = "\x1b", "\x03", "\x04", "\n", "\x12", "\x1b[A"
ENTER = "\r"
ALT_UP = "\x1b[1;3A"
ANSWERS_WITHIN = 0.2
"""Seconds for a key to show an effect; what the emulator and a busy machine take comes on top."""
SLACK = 0.4

Prompt = Callable[..., Terminal]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def prompt(tmp_path: Path, home: Path) -> Iterator[Prompt]:
    """Start `sii` with a scripted model and wait until it is ready."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    started: list[Terminal] = []

    def start(script: str, ready: str = "sandbox ready", **size: int) -> Terminal:
        argv = [sys.executable, "-m", "tests.sii_cli.scripted_sii", script]
        terminal = Terminal(argv, cwd=workspace, env={"SII_HOME": str(home)}, **size)
        started.append(terminal)
        terminal.wait_for(ready)
        return terminal

    yield start
    for terminal in started:
        terminal.child.close(force=True)


def session_of(home: Path) -> list[object]:
    (folder,) = (home / "recordings").iterdir()
    return [event.data for event in read_events(folder)]


def messages(home: Path) -> list[str]:
    return [data.text for data in session_of(home) if isinstance(data, UserMessage)]


def test_a_whole_session_on_the_screen(prompt: Prompt, tmp_path: Path) -> None:
    terminal = prompt("work", columns=200)
    terminal.send("Do it" + ENTER)
    terminal.wait_for("• b")
    terminal.wait_for("tokens")
    light = f" · ● records to {tmp_path}/home"
    assert terminal.everything() == dedent(
        f"""\
        sii 0.1.0 · /help shows the keys
        Type a task: the model works on it in a sandbox that sees this directory and no network.
        Everything is recorded in {tmp_path}/home; /off ends that, /forget deletes it.
        sii 0.1.0 · scripted · http://scripted/v1 · {tmp_path}/workspace

        sandbox ready after 0.0 s · fake · no network

        › Do it

        ● bash  printf 'one\\ntwo\\n'; seq 3 40
          │ one
          │ two
          │ 3
          │ 4
          │ … +28 lines
          │ 33
          │ 34
          │ 35
          │ 36
          │ 37
          │ 38
          │ 39
          │ 40

        thought 0 s · 1 line ▸

        All done.

         • a
         • b

        ›
          scripted · server ready · sandbox ready · 15 tokens (0 % of the context){light}"""
    )


def test_a_second_message_continues_the_session(prompt: Prompt, home: Path) -> None:
    terminal = prompt("two")
    terminal.send("one" + ENTER)
    terminal.wait_for("First.")
    terminal.send("two" + ENTER)
    terminal.wait_for("Second.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert messages(home) == ["one", "two"]
    assert "Recorded: sii replay " in terminal.everything()


@pytest.mark.parametrize("key", [ESC, CTRL_C])
@pytest.mark.parametrize("script", ["slow", "slow-tool"])
def test_a_turn_can_be_interrupted_and_what_was_done_is_kept(
    prompt: Prompt, home: Path, key: str, script: str
) -> None:
    terminal = prompt(script)
    terminal.send("go" + ENTER)
    terminal.wait_for("word word" if script == "slow" else "running bash")
    terminal.pump(0.3)
    terminal.send(key)
    assert terminal.wait_for("nterrupt") < ANSWERS_WITHIN + SLACK
    terminal.wait_for("Interrupted.")
    terminal.send("and now?" + ENTER)
    terminal.wait_for("After.")
    data = session_of(home)
    assert any(isinstance(each, Interrupt) for each in data)
    statuses = [each.status for each in data if isinstance(each, RoundEnd)]
    assert statuses == ["interrupted", "answered"]


def test_a_message_in_a_round_steers_it_after_the_running_step(prompt: Prompt, home: Path) -> None:
    terminal = prompt("steps")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("only the first" + ENTER)
    terminal.wait_for("after this step: only the first")
    terminal.wait_for("All done.")
    terminal.wait_for("after this step", gone=True)
    assert messages(home) == ["go", "only the first"]
    data = session_of(home)
    assert [one.round for one in data if isinstance(one, UserMessage)] == [1, 1]
    assert [one.status for one in data if isinstance(one, RoundEnd)] == ["answered"]


def test_alt_enter_in_a_round_queues_for_after_it(prompt: Prompt, home: Path) -> None:
    terminal = prompt("steps")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("and this" + ESC + ENTER)
    terminal.wait_for("queued: and this")
    terminal.wait_for("After.")
    terminal.wait_for("queued", gone=True)
    data = session_of(home)
    said = [(one.round, one.delivery) for one in data if isinstance(one, UserMessage)]
    assert said == [(1, None), (2, "queued")]


def test_what_waits_returns_to_the_line_when_the_round_is_interrupted(
    prompt: Prompt, home: Path
) -> None:
    terminal = prompt("slow")
    terminal.send("go" + ENTER)
    terminal.wait_for("word word")
    terminal.send("and this" + ENTER + "later" + ESC + ENTER + "half")
    terminal.wait_for("queued: later")
    terminal.send(ESC)
    terminal.wait_for("Interrupted.")
    terminal.wait_for("queued", gone=True)
    terminal.send(ENTER)
    terminal.wait_for("After.")
    assert messages(home) == ["go", "and this\nlater\nhalf"]


def test_alt_up_takes_back_what_was_sent_last_and_still_waits(prompt: Prompt, home: Path) -> None:
    terminal = prompt("steps")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.send("later" + ESC + ENTER + "no, wait" + ENTER)
    terminal.wait_for("after this step: no, wait")
    terminal.send(ALT_UP)
    terminal.wait_for("after this step", gone=True)
    terminal.send(ALT_UP)
    terminal.wait_for("queued", gone=True)
    terminal.wait_for("All done.")
    terminal.send("!" + ENTER)
    terminal.wait_for("After.")
    assert messages(home) == ["go", "later\nno, wait!"]


def test_the_spinner_tells_what_runs_and_for_how_long(prompt: Prompt) -> None:
    terminal = prompt("slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash 1 s")
    terminal.wait_for("│ begun")
    terminal.send(ESC)
    terminal.wait_for("running bash", gone=True)


def test_a_retry_is_counted_down(prompt: Prompt) -> None:
    terminal = prompt("retry")
    terminal.send("go" + ENTER)
    terminal.wait_for("waiting for the server, retry in 1 s")
    terminal.wait_for("Back.")


def test_ctrl_c_clears_the_line_and_leaves_when_asked_twice(prompt: Prompt) -> None:
    terminal = prompt("hello")
    terminal.send("something")
    terminal.wait_for("something")
    terminal.send(CTRL_C)
    terminal.wait_for("something", gone=True)
    terminal.send(CTRL_C)
    terminal.wait_for("Ctrl-C again leaves.")
    terminal.send(CTRL_C)
    assert terminal.exit_code() == 0


def test_enter_sends_and_ctrl_j_and_alt_enter_make_lines(prompt: Prompt, home: Path) -> None:
    terminal = prompt("hello")
    terminal.send("one" + CTRL_J + "two" + ESC + ENTER + "three")
    terminal.wait_for("three")
    terminal.send(ENTER)
    terminal.wait_for("Hello there.")
    assert messages(home) == ["one\ntwo\nthree"]


def test_the_history_is_kept_across_sessions_and_searched(prompt: Prompt, home: Path) -> None:
    first = prompt("hello")
    first.send("find the needle" + ENTER)
    first.wait_for("Hello there.")
    first.send("/exit" + ENTER)
    assert first.exit_code() == 0
    second = prompt("hello")
    second.send(UP)
    second.wait_for("› /exit")
    second.send(UP)
    second.wait_for("› find the needle")
    second.send(CTRL_C)
    second.wait_for("needle", gone=True)
    second.send(CTRL_R + "need")
    second.wait_for("› find the needle")
    assert (home / "history").stat().st_mode & 0o777 == 0o600


def test_a_long_paste_is_folded_and_sent_whole(prompt: Prompt, home: Path) -> None:
    terminal = prompt("hello")
    lines = "\n".join(f"line {number}" for number in range(40))
    terminal.send("See: " + f"\x1b[200~{lines}\x1b[201~")
    terminal.wait_for("› See: [paste 1: 40 lines]")
    terminal.send(ENTER)
    terminal.wait_for("Hello there.")
    assert messages(home) == [f"See: {lines}"]


def test_a_short_paste_with_newlines_is_not_sent_by_them(prompt: Prompt, home: Path) -> None:
    terminal = prompt("hello")
    terminal.send("\x1b[200~one\r\ntwo\r\n\x1b[201~")
    terminal.wait_for("two")
    assert not (home / "recordings").exists()


def test_slash_commands(prompt: Prompt, home: Path) -> None:
    terminal = prompt("two")
    terminal.send("/")
    terminal.wait_for("begin a new session")
    terminal.send("help" + ENTER)
    terminal.wait_for("Alt-Enter      while a round runs")
    terminal.send("/nonsense" + ENTER)
    terminal.wait_for("There is no command /nonsense")
    terminal.send("/undo x" + ENTER)
    terminal.wait_for("/undo takes a number of steps")
    terminal.send("/new task" + ENTER)
    terminal.wait_for("/new takes nothing")
    terminal.send("one" + ENTER)
    terminal.wait_for("First.")
    terminal.send("/status" + ENTER)
    terminal.wait_for("10 read, 5 written")
    terminal.send("/new" + ENTER)
    terminal.wait_for("A new session begins.")
    terminal.send("two" + ENTER)
    terminal.wait_for("Second.")
    terminal.send("/exit" + ENTER)
    assert terminal.exit_code() == 0
    assert len(list((home / "recordings").iterdir())) == 2


def test_a_session_is_summed_up_at_once(prompt: Prompt, home: Path) -> None:
    terminal = prompt("sum", columns=120)
    terminal.send("/compact" + ENTER)
    terminal.wait_for("Not done: there is nothing to sum up.")
    terminal.send("Tell" + ENTER)
    terminal.wait_for("of the context")
    terminal.send("/compact" + ENTER)
    terminal.wait_for("Enter uses (")
    terminal.send(ENTER)
    terminal.wait_for("context compacted: earlier messages summarised")
    terminal.send("/status" + ENTER)
    terminal.wait_for("kept for an answer")
    terminal.send("On" + ENTER)
    terminal.wait_for("After.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert [data.cause for data in session_of(home) if isinstance(data, Compaction)] == ["asked"]


def test_a_path_is_no_command(prompt: Prompt, home: Path) -> None:
    terminal = prompt("hello")
    terminal.send("/etc/hosts says what?" + ENTER)
    terminal.wait_for("Hello there.")
    assert messages(home) == ["/etc/hosts says what?"]


@pytest.mark.parametrize(
    ("script", "says"),
    [("no-server", "No server answers"), ("no-sandbox", "No Docker engine answers")],
)
def test_what_is_not_there_is_told_in_a_sentence(prompt: Prompt, script: str, says: str) -> None:
    terminal = prompt(script, ready="not usable")
    terminal.wait_for(says)
    assert "Traceback" not in terminal.everything()


def test_the_session_begins_by_itself_when_a_server_answers(prompt: Prompt) -> None:
    terminal = prompt("late-server", ready="not usable")
    terminal.wait_for("`sii demo` shows a task")
    terminal.wait_for("server ready")
    assert terminal.everything().count("No server answers") == 1
    terminal.send("go" + ENTER)
    terminal.wait_for("At last.")


def test_a_message_waits_for_a_server(prompt: Prompt, home: Path) -> None:
    terminal = prompt("late-server", ready="not usable")
    terminal.send("go" + ENTER)
    terminal.wait_for("Your message is kept, and sent when a server answers")
    terminal.wait_for("At last.")
    assert messages(home) == ["go"]


def test_a_model_that_is_served_no_more_is_a_sentence(prompt: Prompt) -> None:
    terminal = prompt("other-model")
    terminal.send("go" + ENTER)
    terminal.wait_for("The server serves another model now.")
    terminal.send("/new" + ENTER)
    terminal.wait_for("A new session begins.")


def test_the_second_start_says_one_line(prompt: Prompt) -> None:
    first = prompt("hello")
    first.send("one" + ENTER)
    first.wait_for("Hello there.")
    first.send(CTRL_D)
    first.exit_code()
    assert "Type a task" in first.everything()
    assert "Type a task" not in prompt("hello").everything()


def test_a_message_that_no_server_takes_is_not_lost(prompt: Prompt) -> None:
    terminal = prompt("no-server", ready="not usable")
    terminal.send("precious words" + ENTER)
    terminal.wait_for("Your message is kept, and sent when a server answers")
    terminal.send(ESC)
    terminal.wait_for("Interrupted; the message was not sent")
    terminal.send(UP)
    terminal.wait_for("› precious words")


def test_wrong_settings_end_it_with_one_sentence(prompt: Prompt, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("max_step = 1")
    terminal = prompt("hello", ready="did you mean max_steps?")
    assert terminal.exit_code() == 2
    assert "Traceback" not in terminal.everything()


def test_hostile_text_draws_nothing(prompt: Prompt) -> None:
    terminal = prompt("hostile")
    terminal.send("go" + ENTER)
    terminal.wait_for("and <U+202E> more [red]x[/red].")
    terminal.send(CTRL_D)
    terminal.exit_code()
    assert b"owned" not in terminal.raw.replace(b"printf '\\033]0;owned", b"")
    assert b"\x1b[2J" not in terminal.raw
    assert b"\x1b[31m" not in terminal.raw


def test_long_sessions_scroll_and_the_input_stays_whole(prompt: Prompt) -> None:
    terminal = prompt("work", rows=12)
    terminal.send("Do it" + ENTER)
    terminal.wait_for("• b")
    terminal.wait_for("tokens")
    terminal.send("typed")
    terminal.wait_for("› typed")
    assert terminal.lines()[-2] == "› typed"
    assert terminal.screen.cursor.y == len(terminal.lines()) - 2
    assert terminal.screen.cursor.x == len("› typed")
    assert terminal.everything().count("● bash") == 1


def test_the_caret_stands_after_wide_characters(prompt: Prompt) -> None:
    terminal = prompt("hello")
    terminal.send("日本語")
    terminal.wait_for("語")
    assert terminal.screen.cursor.x == 2 + 6


def test_a_resize_does_not_double_lines(prompt: Prompt) -> None:
    terminal = prompt("slow", columns=100)
    terminal.send("go" + ENTER)
    terminal.wait_for("word word")
    for columns in (120, 90, 130):
        terminal.resize(30, columns)
        terminal.pump(0.3)
    terminal.send(ESC)
    terminal.wait_for("Interrupted.")
    assert terminal.everything().count("› go") == 1
    assert terminal.everything().count("server ready") == 1


def test_a_closed_terminal_ends_the_session_in_order(prompt: Prompt, home: Path) -> None:
    terminal = prompt("slow-tool")
    terminal.send("go" + ENTER)
    terminal.wait_for("running bash")
    terminal.child.close(force=False)
    begun = time.monotonic()
    while time.monotonic() - begun < 10:
        *_, last = session = session_of(home)
        if isinstance(last, SessionEnd):
            assert any(isinstance(each, Interrupt) for each in session)
            return
        time.sleep(0.1)
    raise AssertionError("the session was not closed")


def test_a_paste_that_the_context_cannot_take_stays_on_the_line(prompt: Prompt, home: Path) -> None:
    terminal = prompt("hello")
    terminal.wait_for("server ready")
    terminal.send(f"{ESC}[200~{'word ' * 200_000}{ESC}[201~")
    terminal.wait_for("[paste 1: 1,000,000 characters]")
    terminal.send(ENTER)
    terminal.wait_for("Not sent: Your message has about 333,334 tokens")
    terminal.wait_for("› [paste 2: 1,000,000 characters]")
    terminal.send(CTRL_C)
    terminal.wait_for("[paste 2", gone=True)
    assert not (home / "recordings").exists()
    terminal.send("short" + ENTER)
    terminal.wait_for("Hello there.")
    assert messages(home) == ["short"]
