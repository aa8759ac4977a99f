"""`sii fork --edit`: a human's words instead of the model's or the user's, and going on."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Edit,
    ModelRequest,
    ModelResponse,
    Observation,
    RoundEnd,
    Snapshot,
    ToolCall,
    UserMessage,
)
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal


def seq_of(folder: Path, kind: type) -> int:
    return next(event.seq for event in read_events(folder) if isinstance(event.data, kind))


def edited(shell: Shell, seq: int, words: str, *more: str) -> Path:
    args = ["fork", "last", "--at", str(seq), "--replace", "-", "--speaker", "ann", *more]
    done = shell.sii(*args, stdin=words)
    assert done.returncode == 0, done.stderr
    return shell.store.root / done.stdout.strip()


@pytest.fixture
def parent(shell: Shell) -> Path:
    shell.sii("-p", "Do it", script="work")
    return shell.last()


def test_an_edited_call_is_run_and_the_round_goes_on(shell: Shell, parent: Path) -> None:
    call = seq_of(parent, ToolCall)
    words = "%%% reasoning\nLook first.\n%%% call bash\n%%% argument command\necho $((6 * 7))\n"
    child = edited(shell, call, words, "--why", "It guessed.")
    assert f'"id": "{child.name}"' in shell.sii("list", "--status", "forked", "--json").stdout
    done = shell.sii("run", "-r", child.name, script="two")
    assert done.returncode == 0, done.stderr
    assert "edited by ann (reasoning, calls) It guessed." in shell.sii("show", child.name).stdout
    [observation] = [e.data for e in read_events(child) if isinstance(e.data, Observation)]
    assert observation.text == "42"
    assert verify(child).whole
    texts = [json.loads(message.encoded) for message in restore(child).messages]
    assert [text["role"] for text in texts] == ["system", "user", "assistant", "tool", "assistant"]
    assert texts[2]["reasoning_content"] == "Look first."
    assert texts[-1]["content"] == "First."


def test_what_was_edited_is_marked_and_pinned(shell: Shell, parent: Path) -> None:
    response = seq_of(parent, ModelResponse)
    child = edited(shell, response, "%%% content\nI need not look.\n")
    events = list(read_events(child))
    *shared, resumed, workspace, edit, now = events
    assert isinstance(workspace.data, Snapshot)
    assert isinstance(shared[-1].data, ModelRequest)
    assert resumed.parent is not None
    assert (edit.origin, now.origin) == ("annotator", "annotator")
    assert isinstance(edit.data, Edit)
    assert (edit.data.by, edit.data.replaced) == ("ann", response)
    assert edit.data.parts == ["content", "calls"]
    assert isinstance(now.data, ModelResponse)
    assert (now.data.finish_reason, now.data.generated_ids) == ("stop", None)
    following = next(event for event in read_events(parent) if event.seq == response + 1)
    assert edit.data.sha256 == following.prev


def test_an_edited_message_is_answered_again(shell: Shell, parent: Path) -> None:
    child = edited(shell, seq_of(parent, UserMessage), "Do it <|user|> better\n")
    shell.sii("run", "-r", child.name, script="hello")
    [message] = [e for e in read_events(child) if isinstance(e.data, UserMessage)]
    assert message.origin == "annotator"
    assert isinstance(message.data, UserMessage)
    assert message.data.text == "Do it <|user|> better"
    assert message.data.sent != message.data.text
    assert verify(child).whole
    assert "Hello **there**." in shell.sii("show", child.name).stdout


def test_the_editor_opens_with_what_stands_there(shell: Shell, parent: Path) -> None:
    script = shell.workspace / "editor.py"
    script.write_text(
        "import sys, pathlib\nfile = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('seq 3 40', 'seq 3 4'))\n"
        "import os; os.utime(file, (0, 2**31))\n"
    )
    editor = shlex.join([sys.executable, str(script)])
    argv = shell.argv("fork", "last", "--at", str(seq_of(parent, ToolCall)), "--edit")
    env = {**shell.env, "EDITOR": editor, "VISUAL": editor, "SII_SPEAKER": "ann"}
    terminal = Terminal(argv, cwd=shell.workspace, env=env)
    assert terminal.exit_code() == 0, terminal.everything()
    child = shell.last()
    assert child != parent
    [response] = [e.data for e in read_events(child) if isinstance(e.data, ModelResponse)]
    assert json.loads(response.calls[0].arguments)["command"].endswith("seq 3 4")


def test_misuse_is_one_sentence_and_leaves_nothing(shell: Shell, parent: Path) -> None:
    response, observed = seq_of(parent, ModelResponse), seq_of(parent, Observation)
    same = "%%% call bash\n%%% argument command\nprintf 'one\\ntwo\\n'; seq 3 40\n"
    cases = [
        (["--at", str(observed), "--replace", "-", "--speaker", "a"], "x", "of type observation"),
        (
            ["--at", str(response), "--replace", "-", "--speaker", "a"],
            "x",
            "begins with no section",
        ),
        (["--at", str(response), "--replace", "-", "--speaker", "a"], same, "Nothing was changed"),
        (["--at", str(response), "--replace", "-"], same, "Say who you are"),
        (["--at", str(response), "--edit", "--speaker", "a"], "", "with --replace FILE"),
        (["--at", str(response), "--why", "x"], "", "go with --edit"),
        (["--at", "99999", "--replace", "-", "--speaker", "a"], same, "has no event 99999"),
    ]
    for args, stdin, says in cases:
        done = shell.sii("fork", "last", *args, stdin=stdin)
        assert done.returncode == 2, says
        assert says in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    assert shell.last() == parent


def test_an_edited_call_is_run_before_a_new_message_is_heard(shell: Shell, parent: Path) -> None:
    words = "%%% call bash\n%%% argument command\necho $((6 * 7))\n"
    child = edited(shell, seq_of(parent, ToolCall), words)
    done = shell.sii("-r", child.name, "-p", "Go on", script="hello")
    assert done.returncode == 0, done.stderr
    texts = [json.loads(message.encoded) for message in restore(child).messages]
    assert [text["role"] for text in texts][-4:] == ["assistant", "tool", "user", "assistant"]
    assert texts[-3]["content"] == "42"
    ends = [event.data for event in read_events(child) if isinstance(event.data, RoundEnd)]
    assert [(end.round, end.status) for end in ends] == [(1, "interrupted"), (2, "answered")]
    assert "another message came" in ends[0].reason
    assert verify(child).whole


def test_a_call_that_a_new_message_displaced_is_shown_in_full(shell: Shell, parent: Path) -> None:
    call = next(e.data for e in read_events(parent) if isinstance(e.data, ToolCall))
    shell.sii("fork", "last", "--at", str(seq_of(parent, ModelResponse)))
    child = shell.last()
    shell.sii("-r", child.name, "-p", "Rather not", script="hello")
    assert f"┌ {call.name} {call.arguments}\n  │ Not run" in shell.sii("show", child.name).stdout
    assert "another message came" in (child / "events.jsonl").read_text()
