"""`sii export` writes what reviewers approved, chosen as `sii list` chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recordings.export.registry import TARGETS
from recordings.reviews.reviews import add_review
from sii_cli.commands.export import FORMATS
from tests.recordings.export.exporting import rows
from tests.recordings.samples.told_session import ToldSession, two_rounds
from tests.sii_cli.shell import Shell
from tests.sii_cli.tokenizer.small_tokenizer import make_folder


def told(shell: Shell, *, approve: bool = True, **start: object) -> Path:
    _, folder = shell.store.create_folder()
    two_rounds(folder, **start)
    if approve:
        add_review(folder, "ada", verdict="approve", key=shell.key)
    return folder


def sources(out: Path) -> set[str]:
    manifest = json.loads((out / "manifest.json").read_text())
    return {one["id"] for one in manifest["recordings"]}


def test_every_target_can_be_asked_for() -> None:
    assert [name.replace("-", "_") for name in FORMATS] == list(TARGETS)


@pytest.mark.parametrize(
    "format_", [name for name in FORMATS if name not in ("sharegpt", "preference")]
)
def test_every_format_is_written(shell: Shell, format_: str) -> None:
    folder = told(shell)
    done = shell.sii("export", "out", "--format", format_)
    assert done.returncode == 0, done.stderr
    assert "from 1 recording in out" in done.stdout
    assert sources(shell.workspace / "out") == {folder.name}


def test_approved_is_the_default_and_all_must_be_said(shell: Shell) -> None:
    approved, other = told(shell), told(shell, approve=False, model="other")
    for args, chosen in (
        ([], {approved.name}),
        (["--approved"], {approved.name}),
        (["--all"], {approved.name, other.name}),
        (["--approval", "unreviewed"], {other.name}),
        (["--all", "--model", "other"], {other.name}),
    ):
        out = f"out{len(args)}{''.join(args)}"
        assert shell.sii("export", out, "--format", "tokens", *args).returncode == 0
        assert sources(shell.workspace / out) == chosen, args
    done = shell.sii("export", "x", "--format", "tokens", "--all", "--approved")
    assert (done.returncode, "not both" in done.stderr) == (2, True)


def test_what_is_left_out_is_said(shell: Shell) -> None:
    told(shell)
    done = shell.sii("export", "out", "--format", "tokens", "--max-tokens", "120")
    assert "over the limit: " in done.stderr
    assert "left out: over_length 1 (see out/left_out.jsonl)" in done.stderr


def test_a_refusal_is_one_sentence(shell: Shell) -> None:
    done = shell.sii("export", "out", "--format", "tokens")
    assert done.returncode == 1
    assert done.stderr.startswith("sii: No recording is chosen")
    told(shell)
    done = shell.sii("export", "out", "--format", "openai", "--parquet")
    assert (done.returncode, "has no parquet form" in done.stderr) == (2, True)
    done = shell.sii("export", "out", "--format", "tokens", MY_API_KEY="two-rounds-pytest")
    assert done.returncode == 0
    done = shell.sii("export", "new", "--format", "tokens", MY_API_KEY="A minus sign.")
    assert done.returncode == 1
    assert "there are secrets in" in done.stderr
    assert not (shell.workspace / "new").exists()


def test_words_that_an_annotator_put_in_are_trained_as_text_when_asked(shell: Shell) -> None:
    parent = told(shell, approve=False)
    words = "%%% content\nNothing was wrong.\n"
    args = ["--at", "16", "--replace", "-", "--speaker", "ann", "--workspace", "."]
    done = shell.sii("fork", parent.name, *args, stdin=words)
    assert done.returncode == 0, done.stderr
    asked = ["--all", "--format", "slime-messages"]
    for out, more, marks in (("train", ["--human-text", "train"], [1]), ("mask", [], [])):
        done = shell.sii("export", out, *asked, *more)
        assert done.returncode == 0, done.stderr
        with (shell.workspace / out / "train.jsonl").open() as lines:
            messages = [one for line in lines for one in json.loads(line)["messages"]]
        mine = [one for one in messages if one["content"] == "Nothing was wrong."]
        assert [one["step_loss_mask"] for one in mine] == marks, out
    done = shell.sii("export", "ids", "--all", "--format", "tokens", "--human-text", "train")
    assert "ids_missing 1" in done.stderr


def test_a_launch_script_is_for_slime_alone(shell: Shell) -> None:
    told(shell)
    assert shell.sii("export", "out", "--format", "slime", "--with-script").returncode == 0
    assert (shell.workspace / "out" / "launch.sh").exists()
    done = shell.sii("export", "x", "--format", "tokens", "--with-script")
    assert (done.returncode, "has no launch script" in done.stderr) == (2, True)


def test_a_recording_without_ids_is_rendered_with_the_models_folder(
    shell: Shell, tmp_path: Path
) -> None:
    _, folder = shell.store.create_folder()
    session = ToldSession.create(folder)
    session.user("Go.")
    session.step("Done.", reasoning="So.", ids=False)
    session.end()
    add_review(folder, "ada", verdict="approve", key=shell.key)
    model = str(make_folder(tmp_path / "model"))
    done = shell.sii("export", "out", "--format", "tokens", "--tokenizer", model)
    assert done.returncode == 0, done.stderr
    assert "rendered from messages, not the server's ids: 1" in done.stderr
    (row,) = rows(shell.workspace / "out")
    assert row["rendered"]
    assert 1 in row["loss_mask"]
    done = shell.sii("export", "x", "--format", "messages", "--tokenizer", model)
    assert (done.returncode, "--tokenizer is for tokens and slime" in done.stderr) == (2, True)
    (tmp_path / "model" / "chat_template.jinja").unlink()
    done = shell.sii("export", "x", "--format", "tokens", "--tokenizer", model)
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)
