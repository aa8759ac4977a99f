"""The user's own keys: what `keys.toml` says holds, and what is wrong in it is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from sii_cli.errors import UsageError
from sii_cli.prompt.key_file import (
    read_key_file,
    read_review_keys,
    replace_keys,
    replace_review_keys,
)
from tests.sii_cli.shell import Shell


def bindings() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("c-t")
    def turn(event: KeyPressEvent) -> None: ...

    @keys.add("escape", "enter", eager=True)
    def queue(event: KeyPressEvent) -> None: ...

    return keys


def written(home: Path, text: str) -> Path:
    (home / "keys.toml").write_text(text)
    return home


def test_a_key_takes_the_place_of_another_and_the_rest_stays(tmp_path: Path) -> None:
    home = written(tmp_path, '"c-t" = "c-x f2"\n')
    before = bindings()
    after = replace_keys(before, read_key_file(home))
    assert [one.keys for one in after.bindings] == [
        (Keys.ControlX, Keys.F2),
        (Keys.Escape, Keys.ControlM),
    ]
    assert [one.handler for one in after.bindings] == [one.handler for one in before.bindings]
    assert after.bindings[1].eager()


def test_without_a_file_nothing_changes(tmp_path: Path) -> None:
    assert read_key_file(tmp_path) == {}
    kept = replace_keys(bindings(), {}).bindings
    assert [one.keys for one in kept] == [one.keys for one in bindings().bindings]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"c-t" = "ctrl-2"\n', "'ctrl-2' is not a key"),
        ('"c-t" = ""\n', "'' is not a key"),
        ('"f9" = "f2"\n', "f9 does nothing at the prompt"),
        ('"c-t" = "escape enter"\n', "escape c-m does something else at the prompt"),
        ('"c-t = 1\n', "is not valid TOML"),
        ('"c-t" = "\\u001b[2J"\n', "is not a key"),
    ],
)
def test_what_is_wrong_is_said_with_the_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        replace_keys(bindings(), read_key_file(written(tmp_path, text)))
    assert says in str(raised.value)
    assert "\x1b" not in str(raised.value)


def review_bindings() -> KeyBindings:
    keys = KeyBindings()
    for name in ("a", "r", "y", "1", "?", "space", "tab", "enter", "c-c"):
        keys.add(name)(lambda event: None)
    return keys


def review_keys(home: Path, text: str) -> set[tuple[Keys | str, ...]]:
    own = read_review_keys(written(home, text))
    return {one.keys for one in replace_review_keys(review_bindings(), own).bindings}


def test_a_key_is_switched_off(tmp_path: Path) -> None:
    home = written(tmp_path, '"c-t" = false\n[review]\n"a" = false\n')
    assert len(replace_keys(bindings(), read_key_file(home)).bindings) == 1
    own = read_review_keys(home)
    kept = {one.keys for one in replace_review_keys(review_bindings(), own).bindings}
    assert ("a",) not in kept
    assert ("r",) in kept
    assert own.summary == "a is off"


def test_letters_digits_and_signs_of_a_review_want_alt(tmp_path: Path) -> None:
    found = review_keys(tmp_path, '[review]\nletters = "alt"\n"r" = "f2"\n')
    alt = {(Keys.Escape, letter) for letter in "ay1?"}
    others = {(Keys.F2,), (" ",), (Keys.ControlI,), (Keys.ControlM,), (Keys.ControlC,)}
    assert found == alt | others


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("review = 1\n", "`review` is a table"),
        ('[review]\nletters = "ctrl"\n', '`letters` can only be "alt"'),
        ('[review]\n"v" = "f2"\n', "v does nothing in a review"),
        ('[review]\n"a" = "r"\n', "r does something else in a review"),
        ('[review]\n"a" = "f2"\n"r" = "f2"\n', "f2 does something else in a review"),
        ('[review]\n"enter" = false\n"y" = "enter"\n', "Enter sends no verdict"),
    ],
)
def test_keys_of_a_review_that_cannot_be_are_said(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        review_keys(tmp_path, text)
    assert says in str(raised.value)


@pytest.mark.hostile
def test_a_batch_from_elsewhere_has_no_keys_and_gets_no_history(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "usual" / ".sii").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "usual"))
    shell.home.mkdir()
    (shell.home / "batch.json").write_text("{}")
    (shell.home / "keys.toml").write_text('"c-d" = "f9"\n')
    (shell.home / "history").write_text("\n+!theirs\n")
    terminal = shell.terminal(script="undo")
    terminal.wait_for("sandbox ready")
    terminal.send("/status\r")
    terminal.wait_for("begins with the first message")
    terminal.send("\x04")
    terminal.exit_code()
    assert (shell.home / "history").read_text() == "\n+!theirs\n"
    assert "/status" in (tmp_path / "usual" / ".sii" / "history").read_text()
