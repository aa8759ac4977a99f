"""The terminal as the prompt's input: a paste of any length, and one without an end."""

from __future__ import annotations

import os
import pty
import time
from collections.abc import Iterator
from typing import TextIO

import pytest
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyPress

from sii_cli.prompt import terminal
from sii_cli.prompt.paste import FOLD_LONGER, Pastes
from sii_cli.prompt.terminal import MAX_PASTE, give_up_paste, make_input
from tests.sii_cli.shell import Shell

BEGIN, END = "\x1b[200~", "\x1b[201~"
CHUNK = 1024


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    master, slave = pty.openpty()
    with open(slave, encoding="utf-8") as file:
        monkeypatch.setattr("sys.stdin", file)
        yield file
    os.close(master)


class Keys:
    """The keys that the terminal's parser makes of what it is fed."""

    def __init__(self) -> None:
        made = make_input()
        assert isinstance(made, Vt100Input)
        self.input = made
        self.pressed: list[KeyPress] = []
        made.vt100_parser.feed_key_callback = self.pressed.append

    def feed(self, text: str, chunk: int = CHUNK) -> list[tuple[str, str]]:
        """Feed a text in chunks; return the keys so far, by name, with their text."""
        for start in range(0, len(text), chunk):
            self.input.vt100_parser.feed(text[start : start + chunk])
        return [(str(getattr(key.key, "value", key.key)), key.data) for key in self.pressed]


@pytest.mark.parametrize("chunk", [1, 3, 1024])
def test_bytes_that_are_not_text_are_replaced(stdin: TextIO, chunk: int) -> None:
    invalid = b"\xff".decode(errors="surrogateescape")
    assert Keys().feed(f"a{invalid}{BEGIN}one{invalid}{END}", chunk) == [
        ("a", "a"),
        ("\ufffd", "\ufffd"),
        ("<bracketed-paste>", "one\ufffd"),
    ]


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 7, 13, 1024])
def test_pastes_and_keys_come_in_order_however_they_are_cut(stdin: TextIO, chunk: int) -> None:
    text = f"a{BEGIN}one\r\x1b[201 two{END}b{BEGIN}{END}{BEGIN}three{END}c"
    assert Keys().feed(text, chunk) == [
        ("a", "a"),
        ("<bracketed-paste>", "one\r\x1b[201 two"),
        ("b", "b"),
        ("<bracketed-paste>", ""),
        ("<bracketed-paste>", "three"),
        ("c", "c"),
    ]


@pytest.mark.hostile
def test_a_long_paste_is_parsed_in_linear_time(stdin: TextIO) -> None:
    paste = "x" * (12 << 20)
    keys = Keys()
    begun = time.process_time()
    (key,) = keys.feed(f"{BEGIN}{paste}{END}")
    assert key[1] == paste
    assert time.process_time() - begun < 5.0


@pytest.mark.hostile
def test_of_a_paste_that_is_too_long_little_more_is_kept(stdin: TextIO) -> None:
    keys = Keys()
    (key,) = keys.feed(BEGIN + "x" * (MAX_PASTE + 8 * CHUNK) + END)
    assert MAX_PASTE < len(key[1]) <= MAX_PASTE + 2 * CHUNK
    assert keys.feed("a")[-1] == ("a", "a")


def test_what_comes_at_once_after_an_interrupt_is_still_the_paste(stdin: TextIO) -> None:
    keys = Keys()
    keys.feed(f"{BEGIN}one")
    give_up_paste(keys.input)
    assert keys.feed(f"\rtwo\r{END}a") == [("a", "a")]


def test_what_is_typed_after_an_interrupt_is_keys(
    stdin: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_QUIET", 0.05)
    keys = Keys()
    keys.feed(f"{BEGIN}one")
    assert keys.feed("a") == []
    give_up_paste(keys.input)
    time.sleep(0.1)
    assert keys.feed("a") == [("a", "a")]


@pytest.mark.hostile
def test_a_paste_that_is_too_long_is_refused_at_the_prompt(shell: Shell) -> None:
    prompt = shell.terminal(script="hello")
    prompt.wait_for("sandbox ready")
    prompt.send(BEGIN)
    piece = "x" * 65_536
    for _ in range(MAX_PASTE // len(piece) + 1):
        prompt.send(piece)
    prompt.send(END)
    prompt.wait_for("was left out: save it as a file", patience=60)
    prompt.send("Go.\r")
    prompt.wait_for("Hello there")


@pytest.mark.hostile
def test_ctrl_c_gets_out_of_a_paste_without_an_end(shell: Shell) -> None:
    prompt = shell.terminal(script="hello")
    prompt.wait_for("sandbox ready")
    prompt.send(BEGIN + "never")
    prompt.pump(0.5)
    prompt.send("\x03")
    prompt.wait_for("Ctrl-C again leaves")
    prompt.pump(1.0)
    prompt.send("Go.\r")
    prompt.wait_for("Hello there")


def test_a_paste_of_few_lines_is_folded_when_it_is_long() -> None:
    pastes = Pastes()
    text = "x" * (FOLD_LONGER + 1)
    assert pastes.fold(text) == "[paste 1: 10,001 characters]"
    assert pastes.expand("See [paste 1: 10,001 characters].") == f"See {text}."
    assert pastes.fold(text[1:]) == text[1:]
