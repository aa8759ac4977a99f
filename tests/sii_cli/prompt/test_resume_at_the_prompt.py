"""A resumed session shows its last round as it was, and how full its context is."""

from __future__ import annotations

import signal
from pathlib import Path

import orjson
import pytest

from recordings.conversation import checked
from recordings.conversation.checked import CheckedConversation
from recordings.conversation.last_round import MOST_EVENTS, last_round
from recordings.conversation.pending import Pending
from recordings.conversation.restore import Conversation, restore
from recordings.events import ModelRequest, ModelResponse, RoundEnd, UserMessage
from recordings.storage.log import read_events
from sii_cli.commands.prompt import first_session
from sii_cli.errors import UsageError
from sii_cli.options.resume import NOT_RESUMED
from sii_cli.session.resume import ResumedRecording
from tests.fakes.bomb_server import PeakMemory
from tests.sii_cli.shell import Shell


def test_the_last_round_and_the_fill_are_shown(shell: Shell) -> None:
    first = shell.terminal(script="two")
    first.wait_for("sandbox ready")
    for said, answer in (("one", "First."), ("two", "Second.")):
        first.send(said + "\r")
        first.wait_for(answer)
        first.wait_for("tokens")
    first.send("\x04")
    first.exit_code()
    again = shell.terminal("-r", "last", script="two")
    again.wait_for("Second.")
    again.wait_for("sandbox ready")
    again.wait_for("15 tokens")
    assert "› two" in again.everything()
    assert "› one" not in again.everything()
    again.send("/status\r")
    again.wait_for("20 read, 10 written")
    again.send("\x04")
    assert again.exit_code() == 0


def test_the_last_round_of_a_damaged_recording_is_what_can_be_read(shell: Shell) -> None:
    folder = shell.recorded()
    log = folder / "events.jsonl"
    lines = log.read_bytes().split(b"\n")
    whole = last_round(folder)
    damaged = [b'{"v":1,"what":' if b'"model_response"' in line else line for line in lines]
    log.write_bytes(b"\n".join(damaged))
    found = last_round(folder)
    assert any(isinstance(event.data, ModelResponse) for event in whole.events)
    assert [type(e.data) for e in found.events if isinstance(e.data, UserMessage | RoundEnd)] == [
        UserMessage,
        RoundEnd,
    ]
    assert (found.steps, found.fill) == (0, 0)


def test_a_recording_without_a_message_has_no_last_round(shell: Shell, tmp_path: Path) -> None:
    folder = shell.recorded()
    log = folder / "events.jsonl"
    log.write_bytes(log.read_bytes().split(b"\n")[0] + b"\n")
    assert len(last_round(folder).events) == 1


def endless_round(folder: Path, steps: int, text: str) -> None:
    """Let the last round of a recording have so many steps more, each with such an answer."""
    log = folder / "events.jsonl"
    lines = log.read_bytes().splitlines()
    kinds = ("model_request", "model_response")
    step = [line for line in lines if any(b'"type":"%s"' % kind.encode() in line for kind in kinds)]
    response = orjson.loads(step[-1])
    response["data"]["content"] = text
    with log.open("ab") as file:
        for _ in range(steps):
            file.write(step[0] + b"\n" + orjson.dumps(response) + b"\n")


@pytest.mark.hostile
@pytest.mark.parametrize(("steps", "text"), [(5_000, "word"), (40, "word " * 400_000)])
def test_a_round_without_an_end_is_read_in_little_memory(
    shell: Shell, steps: int, text: str
) -> None:
    folder = shell.recorded()
    endless_round(folder, steps, text)
    with PeakMemory() as peak:
        found = last_round(folder)
    assert peak.mb < 40
    assert found.steps > steps
    assert 0 < len(found.events) <= MOST_EVENTS
    assert isinstance(found.events[-1].data, ModelResponse)
    if len(found.events) > 1:
        assert isinstance(found.events[0].data, ModelRequest)


def test_what_a_closed_terminal_returned_is_on_the_line_again(shell: Shell) -> None:
    terminal = shell.terminal(script="slow-tool")
    terminal.wait_for("sandbox ready")
    terminal.send("go\r")
    terminal.wait_for("│ begun")
    terminal.send("only the first\r")
    terminal.wait_for("after this step: only the first")
    terminal.child.kill(signal.SIGHUP)
    terminal.exit_code()
    again = shell.terminal("-c", script="pushed")
    again.wait_for("sandbox ready")
    again.wait_for("› only the first")
    again.send("\r")
    again.wait_for("Pushed.")
    again.send("\x04")
    assert again.exit_code() == 0
    messages = [e.data for e in read_events(shell.last()) if isinstance(e.data, UserMessage)]
    assert [one.text for one in messages] == ["go", "only the first"]
    once_more = ResumedRecording(shell.last(), checked=CheckedConversation(shell.last()))
    assert not list(once_more.returned)


@pytest.mark.parametrize("is_own", [True, False])
def test_only_what_the_user_typed_here_is_put_on_the_line(shell: Shell, is_own: bool) -> None:
    folder = shell.recorded()
    checked = CheckedConversation(folder)
    typed = Pending("words", "steer", 1.0, 1)
    checked.conversation.pending.returned.append(typed)
    resumed = ResumedRecording(folder, is_own=is_own, checked=checked)
    assert list(resumed.returned) == (["words"] if is_own else [])


def options_of(folder: Path) -> dict[str, object]:
    return {**NOT_RESUMED, "ref": folder.name, "workspace": None}


async def test_an_own_recording_is_read_once_the_line_is_there(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shell.recorded(rounds=1, workspace=str(shell.workspace))
    read: list[Path] = []

    def reading(one: Path) -> Conversation:
        read.append(one)
        return restore(one)

    monkeypatch.setattr(checked, "restore", reading)
    begin = first_session(options_of(folder))
    assert not read
    flags, resumed = await begin()
    assert read == [folder]
    assert flags["workspace"] == str(shell.workspace)
    assert resumed is not None
    assert resumed.folder == folder


def test_a_foreign_recording_is_refused_before_there_is_a_line(shell: Shell) -> None:
    folder = shell.recorded(rounds=1, workspace=str(shell.workspace), key=None)
    with pytest.raises(UsageError, match="cannot prove"):
        first_session(options_of(folder))


def test_a_line_that_was_changed_is_found_before_the_session_opens(shell: Shell) -> None:
    folder = shell.recorded(rounds=1, workspace=str(shell.workspace))
    log = folder / "events.jsonl"
    lines = log.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b'"origin":', b'"origin": ', 1)
    changed = b"\n".join(lines)
    assert changed != log.read_bytes()
    log.write_bytes(changed)
    terminal = shell.terminal("-r", folder.name, script="two")
    terminal.send("and on\r")
    assert terminal.exit_code() == 4
    assert "Line 3" in terminal.everything()
    assert "sandbox" not in terminal.everything()
    assert log.read_bytes() == changed
