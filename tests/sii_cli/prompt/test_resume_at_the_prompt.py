"""A resumed session shows its last round as it was, and how full its context is."""

from __future__ import annotations

from pathlib import Path

from recordings.conversation.last_round import last_round
from recordings.events import ModelResponse, RoundEnd, UserMessage
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
