"""What text of others may do to a terminal: nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.render.wrap import LineStream, wrap
from sii_cli.text.sanitise import one_line, sanitise, sanitise_written, without_escapes
from tests.sii_cli.shell import Shell

WILD = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b[]()0123456789;?mHJK\x07\x9b\x9d\r\n\t\b\x7f\x00 aé日👍\u202e\u2066"),
        st.characters(),
    )
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "xlink"),
        ("\x9b31mred", "red"),
        ("a\x1b[2J\x1b[Hb\x1bc", "ab"),
        ("lone \x1b", "lone ␛"),
        ("nul \x00, bell \x07, del \x7f", "nul ␀, bell ␇, del ␡"),
        ("evil \u202etxt.exe", "evil <U+202E>txt.exe"),
        ("10 %\r20 %\r30 %\n", "30 %\n"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("a\tb", "a   b"),
        ("hidden \U000e0041", "hidden <U+E0041>"),
        ("日本 é 👍 stay", "日本 é 👍 stay"),
    ],
)
def test_controls_are_dropped_or_shown(raw: str, shown: str) -> None:
    assert sanitise(raw) == shown


def test_what_was_written_is_shown_before_a_carriage_return_too() -> None:
    assert sanitise_written("Delete it.\rFix it.\r\nNow.\r") == "Delete it.␍Fix it.\nNow."


@given(WILD, st.sampled_from([sanitise, sanitise_written]))
def test_nothing_that_a_terminal_obeys_is_left(text: str, safe: Callable[[str], str]) -> None:
    for character in safe(text):
        assert character == "\n" or (character >= " " and not "\x7f" <= character <= "\x9f")
        assert not "\u202a" <= character <= "\u202e"
        assert not "\u2066" <= character <= "\u2069"


@given(WILD)
def test_what_was_made_safe_stays_as_it_is(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@given(WILD, st.integers(1, 40))
def test_one_line_is_one_line_and_no_longer(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= limit


def test_one_line_shows_what_is_before_a_carriage_return() -> None:
    assert one_line("rm -rf /\rls\r\n", 40) == "rm -rf /␍ls"


@given(st.text(alphabet="ab日é👍 ", max_size=200), st.integers(2, 20))
def test_wrapped_lines_fit_and_lose_nothing_but_blanks(text: str, width: int) -> None:
    from rich.cells import cell_len

    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_words_stay_whole_and_wide_characters_take_two_cells() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("日本語テキスト", 6) == ["日本語", "テキス", "ト"]


@given(st.text(alphabet="ab \n", max_size=200), st.integers(1, 7))
def test_a_stream_gives_the_same_lines_however_it_is_cut(text: str, size: int) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    stream = LineStream(None)
    lines = [line for piece in pieces for line in stream.feed(piece)]
    assert lines + stream.end() == (text.removesuffix("\n").split("\n") if text else [])


def test_a_progress_bar_does_not_pile_up() -> None:
    stream = LineStream(80)
    for percent in range(1000):
        assert stream.feed(f"\r{percent} %") == []
    assert stream.growing == "999 %"


def test_an_answer_that_is_piped_holds_no_escapes_and_keeps_its_tabs(shell: Shell) -> None:
    done = shell.sii("-p", "go", script="hostile")
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "An  escape and <U+202E> more [red]x[/red]." in done.stdout
    assert without_escapes("all:\r\n\tcc \x1b[31ma.c\x1b[0m\n") == "all:\n\tcc a.c\n"
    kept = shell.sii("-p", "go", "--output-format", "json", script="hostile").stdout
    assert json.loads(kept)["answer"] == "An \x1b[2J escape and \u202e more [red]x[/red]."
