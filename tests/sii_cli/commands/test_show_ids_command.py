"""`sii show --ids` prints what each model call read and generated."""

from __future__ import annotations

from pathlib import Path

from tests.recordings.samples.told_session import ToldSession
from tests.sii_cli.commands.test_inspect_sample_command import tokenizer
from tests.sii_cli.shell import Shell


def record(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    told = ToldSession.create(folder)
    told.user("Go.")
    first = [256, *b"Go."]
    told.step("x", prompt_ids={"keep": 0, "new": first}, generated_ids=[*b"Hi", 256])
    told.user("On.")
    drifted = {"kind": "break", "cause": "new_round", "at": 4}
    told.step(
        "y",
        prompt_ids={"keep": 4, "new": [*b"hi", 256, *b"On."]},
        generated_ids=[*b"ok", -1],
        continuity=drifted,
    )
    told.step("z", prompt_ids=None, generated_ids=None, continuity=None)
    told.end()


def test_ids_are_numbers_and_with_a_tokenizer_text(shell: Shell, tmp_path: Path) -> None:
    record(shell)
    numbers = shell.sii("show", "last", "--ids")
    assert numbers.returncode == 0, numbers.stderr
    assert numbers.stdout.splitlines() == [
        "── step 1 · event 3",
        "prompt · 4 ids, all new",
        "   256 71 111 46",
        "generated · 3 ids",
        "   72 105 256",
        "── step 2 · event 6",
        "prompt · 10 ids, the first 4 as before · break: new_round",
        "   104 105 256 79 110 46",
        "generated · 3 ids",
        "   111 107 -1",
        "── step 3 · event 8",
        "   the server reported no ids of the prompt",
        "   the server reported no generated ids",
    ]
    named = str(tokenizer(tmp_path / "model"))
    text = shell.sii("show", "last", "--ids", "--tokenizer", named)
    assert "generated · 3 ids\nHi<|user|>\n   72 105 256\n" in text.stdout
    assert "generated · 3 ids\nok<id -1>\n" in text.stdout


def test_many_ids_are_folded_unless_all_are_asked_for(shell: Shell) -> None:
    _, folder = shell.store.create_folder()
    told = ToldSession.create(folder)
    told.user("Go.")
    told.step("x", prompt_ids={"keep": 0, "new": list(range(1000))}, generated_ids=[7])
    told.end()
    folded = shell.sii("show", "last", "--ids").stdout
    assert "   … 51 lines …" in folded
    assert " 500 " not in folded
    assert " 500 " in shell.sii("show", "last", "--ids", "--full").stdout
