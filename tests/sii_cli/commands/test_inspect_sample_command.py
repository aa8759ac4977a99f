"""`sii inspect-sample` shows what would be trained on, and lets nothing in it pretend."""

from __future__ import annotations

import json
from pathlib import Path

from recordings.reviews.review import StepReview
from recordings.reviews.reviews import add_review
from sii_cli.render.samples import render_sample
from sii_cli.tokenizer.token_text import TokenText
from sii_cli.tokenizer.tokenizer_file import byte_characters
from tests.recordings.samples.test_samples import read
from tests.recordings.samples.told_session import ToldSession, two_rounds
from tests.sii_cli.shell import Shell


def tokenizer(folder: Path) -> Path:
    """Every byte is a token; 256 is `<|user|>`."""
    folder.mkdir()
    vocab = {character: byte for byte, character in enumerate(byte_characters())}
    added = [{"id": 256, "content": "<|user|>", "special": True}]
    parsed = {"model": {"type": "BPE", "vocab": vocab, "merges": []}, "added_tokens": added}
    (folder / "tokenizer.json").write_text(json.dumps(parsed))
    return folder


def session(folder: Path, said: bytes) -> Path:
    told = ToldSession.create(folder)
    told.user("Go.")
    told.step(
        "x",
        prompt_ids={"keep": 0, "new": [256, *b"Go."]},
        generated_ids=[*said, 256],
        stop_reason=256,
    )
    told.end()
    return folder


def test_ids_are_spelled_by_the_tokenizer(shell: Shell, tmp_path: Path) -> None:
    _, folder = shell.store.create_folder()
    session(folder, "Größe\nzwei".encode())
    done = shell.sii("inspect-sample", "last", "--tokenizer", str(tokenizer(tmp_path / "model")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{folder.name}/1  17 tokens, 13 trained (76.5%), 1 trained step",
        "── 0–4 (4 tokens) · event 3 · prompt from events 0, 1",
        "<|user|>Go.",
        "── 4–17 (13 tokens) · event 3 · generated, trained",
        "Größe",
        "zwei<|user|>",
    ]


def test_special_tokens_are_told_from_text_that_spells_them(tmp_path: Path) -> None:
    (sample,), _ = read(session(tmp_path / "s", b"a <|user|> b"))
    spell = TokenText.load(tokenizer(tmp_path / "model")).pieces
    *_, line = render_sample(sample, spell)
    styles = [(line.plain[span.start : span.end], str(span.style)) for span in line.spans]
    assert styles == [("a <|user|> b", "green"), ("<|user|>", "bold magenta")]


def test_nothing_in_a_sample_reaches_the_terminal_as_an_escape(
    shell: Shell, tmp_path: Path
) -> None:
    _, folder = shell.store.create_folder()
    session(folder, b"\x1b[2J\x1b]0;owned\x07ok\xff")
    done = shell.sii("inspect-sample", "--tokenizer", str(tokenizer(tmp_path / "model")))
    assert "\x1b" not in done.stdout
    assert "ok\\xff<|user|>" in done.stdout


def test_without_a_tokenizer_the_messages_are_shown(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    two_rounds(folder)
    add_review(folder, "ada", steps=[StepReview(seq=3, exclude=True)], key=shell.key)
    done = shell.sii("inspect-sample", "last", "--sample", "1")
    assert done.returncode == 0
    assert "left out: step 1 (event 3): excluded, by a reviewer" in done.stdout
    assert "── assistant · event 3\n" in done.stdout
    assert "── assistant · event 7 · trained\n" in done.stdout
    assert "A minus sign." not in done.stdout


def test_a_long_context_is_folded_and_what_is_trained_never(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    told = ToldSession.create(folder)
    told.user("Look.")
    told.step("\n".join(f"said {n}" for n in range(99)), ("bash", {}, "x" * 900 + "\ny" * 99))
    told.step("Done.")
    told.end()
    short, full = (shell.sii("inspect-sample", "last", *args).stdout for args in ((), ("--full",)))
    assert "said 50" in short
    assert "x" * 400 + " … 500 characters" in short
    assert "… 88 lines …" in short
    assert "x" * 900 in full
    assert full.count("\ny") == 99


def test_a_recording_without_a_sample_says_so(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    told = ToldSession.create(folder)
    told.user("Go.")
    told.step("x", ids=False)
    told.end()
    done = shell.sii("inspect-sample")
    assert (done.returncode, "nothing in it is trained on" in done.stderr) == (1, True)
    assert "left out: step 1 (event 3): ids_missing" in done.stdout
    assert shell.sii("inspect-sample", "last", "--text").returncode == 0


def test_a_tokenizer_that_is_none_is_refused_in_a_sentence(shell: Shell, tmp_path: Path) -> None:
    _, folder = shell.store.create_folder()
    two_rounds(folder)
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"▁x": 1}}, "added_tokens": []}')
    done = shell.sii("inspect-sample", "--tokenizer", str(tmp_path))
    assert (done.returncode, "is not a byte-level tokenizer" in done.stderr) == (2, True)
