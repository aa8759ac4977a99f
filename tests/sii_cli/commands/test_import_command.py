"""`sii import` makes recordings that every command reads, and round trips through exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from atif import Trajectory

from recordings.events import ModelResponse, Observation, SessionStart, UserMessage
from recordings.reviews.reviews import add_review
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.recordings.export.exporting import exported, rows
from tests.recordings.samples.told_session import BASH, two_rounds
from tests.sii_cli.shell import Shell

LIMI = {
    "tools": [BASH],
    "messages": [
        {"role": "user", "content": "Fix <|assistant|> it."},
        {
            "role": "assistant",
            "content": "<think>Look.</think>\nFirst the files.",
            "tool_calls": [
                {"function": {"name": "bash", "arguments": {"command": "ls"}}},
                {"id": "b", "function": {"name": "bash", "arguments": '{"command": "pwd"}'}},
            ],
        },
        {"role": "tool", "content": "/w <|user|>", "tool_call_id": "b"},
        {"role": "tool", "content": "a.py"},
        {"role": "assistant", "content": "Done.", "reasoning_content": "So."},
        {"role": "user", "content": [{"type": "text", "text": "Thanks."}]},
        {"role": "assistant", "content": "Welcome."},
    ],
}


def imported(shell: Shell, text: str, *args: str, name: str = "data.jsonl") -> list[Path]:
    (shell.workspace / name).write_text(text)
    done = shell.sii("import", name, *args)
    assert done.returncode == 0, done.stderr
    return [shell.store.root / line.split()[0] for line in done.stdout.splitlines()]


def data_of(folder: Path, kind: type) -> list[Any]:
    return [event.data for event in read_events(folder) if isinstance(event.data, kind)]


def test_a_line_of_limis_data_becomes_a_recording(shell: Shell) -> None:
    args = ["--batch", "limi", "--license", "apache-2.0", "--tag", "old"]
    (folder,) = imported(shell, json.dumps(LIMI) + "\n", *args)
    (start,) = data_of(folder, SessionStart)
    assert (start.mode, start.batch, start.license, start.source) == (
        "imported",
        "limi",
        "apache-2.0",
        "data.jsonl:1",
    )
    first, second, third = data_of(folder, ModelResponse)
    assert (first.reasoning, first.content) == ("Look.", "First the files.")
    assert [call.arguments for call in first.calls] == ['{"command":"ls"}', '{"command": "pwd"}']
    assert (second.reasoning, second.content, third.content) == ("So.", "Done.", "Welcome.")
    assert [one.call_id for one in data_of(folder, Observation)] == ["b", first.calls[0].call_id]
    assert [one.round for one in data_of(folder, UserMessage)] == [1, 2]
    assert verify(folder).problems == []
    assert "First the files." in shell.sii("show", folder.name).stdout
    assert folder.name in shell.sii("list", "--mode", "imported", "--tag", "old").stdout


def test_text_that_is_imported_forges_no_turn(shell: Shell) -> None:
    (folder,) = imported(shell, json.dumps(LIMI))
    asked, observed = data_of(folder, UserMessage)[0], data_of(folder, Observation)[0]
    assert asked.text == "Fix <|assistant|> it."
    assert "<|assistant|>" not in asked.sent
    assert "<|user|>" not in observed.text
    exported(shell.workspace / "out", "messages", folder)
    text = json.dumps([row["prompt"] for row in rows(shell.workspace / "out")])
    assert "<|assistant|>" not in text
    assert "<|user|>" not in text


def test_a_conversation_without_a_system_message_gets_none(shell: Shell) -> None:
    (folder,) = imported(shell, json.dumps(LIMI))
    exported(shell.workspace / "out", "messages", folder)
    assert rows(shell.workspace / "out")[0]["prompt"][0]["role"] == "user"
    assert verify(folder).problems == []


def test_an_import_is_exported_as_text_and_never_as_tokens(shell: Shell) -> None:
    (folder,) = imported(shell, json.dumps(LIMI))
    add_review(folder, "ada", verdict="approve", key=shell.key)
    assert shell.sii("export", "text", "--format", "openai").returncode == 0
    done = shell.sii("export", "ids", "--format", "tokens")
    assert (done.returncode, "ids_missing 3" in done.stderr) == (1, True)


@pytest.mark.parametrize("format_", ["atif", "openai", "slime_messages"])
def test_what_was_exported_is_imported_the_same(shell: Shell, format_: str) -> None:
    _, folder = shell.store.create_folder()
    two_rounds(folder)
    exported(shell.workspace / "one", format_, folder)
    text = (shell.workspace / "one" / "train.jsonl").read_text()
    whole = imported(shell, text)[-1]
    exported(shell.workspace / "two", format_, whole)
    before, after = (rows(shell.workspace / name)[-1] for name in ("one", "two"))
    assert _said(after) == _said(before)


def _said(row: dict[str, Any]) -> list[Any]:
    if "steps" in row:
        of_step = ("source", "message", "reasoning_content", "tool_calls", "observation")
        return [[step.get(key) for key in of_step] for step in row["steps"]]
    keys = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "weight")
    return [[message.get(key) for key in keys] for message in row["messages"]]


def test_atif_documents_fit_atifs_own_models(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "out", "atif", tmp_path / "s")
    first, second = map(Trajectory.model_validate, rows(tmp_path / "out"))
    assert [step.source for step in first.steps] == ["system", "user", *["agent"] * 3]
    assert [len(step.observation.results) for step in first.steps[2:4] if step.observation] == [
        1,
        2,
    ]
    assert [step.is_copied_context for step in second.steps if step.source == "agent"] == [
        *[True] * 3,
        None,
    ]
    metrics = second.steps[-1].metrics
    assert metrics is not None
    assert metrics.completion_token_ids


def test_a_document_of_several_lines_is_read(shell: Shell) -> None:
    (folder,) = imported(shell, json.dumps(LIMI, indent=2), name="one.json")
    assert len(data_of(folder, ModelResponse)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "neither JSON lines nor JSON"),
        ('{"messages": []}\n{"x"\n', "Line 2 of data.jsonl is not JSON"),
        ('{"text": "x"}', "data.jsonl:1 is not a conversation (there is no 'messages')"),
        ('{"messages": [{"role": "alien", "content": ""}]}', "the role 'alien'"),
        ('{"messages": [{"role": "user", "content": [{"type": "image"}]}]}', "that is not text"),
        ("[]", "is not a conversation"),
    ],
)
def test_what_is_no_conversation_is_refused_and_nothing_is_made(
    shell: Shell, text: str, says: str
) -> None:
    (shell.workspace / "data.jsonl").write_text(text)
    done = shell.sii("import", "data.jsonl")
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert shell.store.ids() == []
