"""Output as a model reads it: safe, bounded, its end kept, what is missing counted."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.base import Cut
from tools.output import HEAD, TAIL, shape, show, show_line

NOTE = re.compile(
    r"^\[\.\.\. ([\d,]+) bytes in (more than )?([\d,]+) lines left out \.\.\.\]$", re.M
)

FRAGMENTS = st.sampled_from(
    [
        *(b"a", b"word ", b"\n", b"\r", b"\r\n", b"\t", b"\b", b"\0", b"\x07", b"\x1b", b"\x1b["),
        *(
            b"\x1b[31m",
            b"\x1b[2K",
            b"\x1b[1G",
            b"\x1b]0;title\x07",
            b"\x1b]8;;u",
            b"\x1bP",
            b"\x1b\\",
        ),
        *(
            b"\x9b31m",
            "\x9b31m".encode(),
            "\x85".encode(),
            b"\xff",
            b"\xe2\x82",
            "€".encode(),
            b"\xc2",
        ),
        *("字".encode(), "\U0001f600".encode(), b"\x7f", b"x" * 3000),
    ]
)
WILD = st.one_of(st.binary(max_size=500), st.lists(FRAGMENTS, max_size=80).map(b"".join))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"hello\n", "hello"),
        (b"hello", "hello"),
        (b"a\n\n", "a\n"),
        (b"tab\tkept\n", "tab\tkept"),
        ("größer 字 \U0001f600".encode(), "größer 字 \U0001f600"),
        (b"\xff\xfe caf\xe9", "\\xff\\xfe caf\\xe9"),
        (b"cut off \xe2\x82", "cut off \\xe2\\x82"),
        (b"a\0b\x07\x7f", "a\\x00b\\x07\\x7f"),
        ("\x85 \u2028".encode(), "\\x85 \u2028"),
        (b"\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[m", "red rgb"),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb"),
        (b"\x1bPq#0;2\x1b\\a\x1b(Bb\x1b=c\x1b7d\x1b[?25le", "abcde"),
        ("\x9b31mred\x9b0m \x9d0;t\x07x".encode(), "red x"),
        (b"a\x1b", "a"),
        (b"a\x1b[31", "a"),
        (b"\x1b]never ended\nnext line", "\nnext line"),
        (b" 10%\r 50%\r100%\n", "100%"),
        (b" 10%\r100%\r\ndone\r\n", "100%\ndone"),
        (b"50%\r100%\r\x1b[0m\n", "100%"),
        (b"\x1b[2K\x1b[1G[1/4] a\x1b[2K\x1b[1G[2/4] b\n", "[2/4] b"),
        (b"\r\r\r", ""),
        (b"N\bNA\bAM\bME\bE\n", "NAME"),
    ],
)
def test_what_a_model_reads(raw: bytes, text: str) -> None:
    assert shape(raw).text == text
    assert shape(raw).cut is None


def test_a_long_output_keeps_its_beginning_and_its_end() -> None:
    raw = b"".join(b"line %d\n" % n for n in range(100_000))
    shaped = shape(raw)
    assert shaped.text.startswith("line 0\nline 1\n")
    assert shaped.text.endswith("\nline 99998\nline 99999")
    head, note, tail = re.split(r"\n(\[\.\.\. .*\])\n", shaped.text)
    assert HEAD - 20 < len(head) <= HEAD
    assert TAIL - 20 < len(tail) <= TAIL
    missing = raw[len(head) + 1 : len(raw) - len(tail) - 1]
    assert shaped.cut == Cut(len(missing), missing.count(b"\n"))
    assert note == f"[... {len(missing):,} bytes in {missing.count(10):,} lines left out ...]"


def test_a_long_line_is_cut_and_says_by_how_much() -> None:
    shaped = shape(b"x" * 5000 + b"\nshort\n")
    assert shaped.text == "x" * 2000 + " [... 3,000 more bytes in this line]\nshort"
    assert shaped.cut == Cut(3000, 0)


def test_a_long_line_is_not_cut_within_a_character() -> None:
    assert show_line("字".encode() * 3, limit=5) == "字 [... 6 more bytes in this line]"


def test_what_the_sandbox_dropped_is_counted() -> None:
    raw = b"first\n" * 10_000 + b"last\n" * 10_000
    shaped = shape(raw, dropped=1_000_000, dropped_at=60_000)
    head, note, tail = re.split(r"\n(\[\.\.\. .*\])\n", shaped.text)
    assert set(head.split("\n")) == {"first"}
    assert set(tail.split("\n")) == {"last"}
    assert shaped.cut is not None
    assert shaped.cut.bytes == len(raw) - len(head) - len(tail) - 2 + 1_000_000
    assert "more than" in note


def test_a_short_output_of_which_much_was_dropped() -> None:
    shaped = shape(b"a\nb\n", dropped=500, dropped_at=2)
    lost = "500 of them lost to the output limit"
    assert shaped.text == f"a\n[... 500 bytes in more than 0 lines left out, {lost} ...]\nb"


@settings(deadline=None)
@given(WILD)
def test_never_a_control_byte_but_tab_and_newline(raw: bytes) -> None:
    text = shape(raw).text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    text.encode()


@settings(deadline=None)
@given(WILD, st.integers(0, 200), st.integers(0, 200), st.integers(1, 50))
def test_the_text_is_bounded_and_its_counts_are_true(
    raw: bytes, head: int, tail: int, line: int
) -> None:
    raw = raw.replace(b"\r", b"").replace(b"\x1b", b"").replace(b"\b", b"")
    raw = re.sub(rb"\xc2[\x90\x98\x9b-\x9f]", b"", raw)
    shaped = shape(raw, head=head, tail=tail, line=line)
    assert len(shaped.text) <= head + tail + 100
    note = NOTE.search(shaped.text)
    if note:
        elided, lines = (int(note[group].replace(",", "")) for group in (1, 3))
        assert shaped.cut is not None
        assert lines == shaped.cut.lines
    else:
        elided = 0
        assert (shaped.cut.lines if shaped.cut else 0) == 0
    more = re.findall(r" \[\.\.\. ([\d,]+) more bytes in this line\]$", shaped.text, re.M)
    beyond = sum(int(count.replace(",", "")) for count in more)
    assert elided + beyond == (shaped.cut.bytes if shaped.cut else 0)
    if note is None and not more:
        assert shaped.text == show(raw.removesuffix(b"\n"))


@settings(deadline=None)
@given(WILD, st.integers(1, 400))
def test_no_line_is_invented(raw: bytes, at: int) -> None:
    """What is shown of an output that lost its middle are lines of it, in order."""
    lines = iter(shape(raw, head=10**9, tail=0, line=10**9).text.split("\n"))
    shown = shape(raw, head=at, tail=at, line=10**9).text.split("\n")
    assert all(NOTE.match(line) or line in lines for line in shown)


REPEATED = (
    *(
        b"x" * 39 + b"\n",
        b"\x1b[32mok\x1b[0m\n",
        b"50%\r",
        b"\r",
        b"\n",
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
    ),
    *(b"\x1bP", b"x", b"a\r", b"\x1b[m\r", b"\xff", b"a\b", "\x9b31m".encode(), b"\0"),
)


@pytest.mark.parametrize("piece", REPEATED)
def test_no_input_is_slow(piece: bytes) -> None:
    """Generous: it takes about a tenth of this on an idle machine."""
    raw = piece * ((16 << 20) // len(piece))
    began = time.process_time()
    shape(raw)
    assert time.process_time() - began < 0.5
