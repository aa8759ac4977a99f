"""Text files: their encoding and newlines, read and written back byte for byte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.output import show

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)

_BLOCK = 1 << 16
_NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Lone surrogates that stand for no byte: a model may have written them."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file's content and what is needed to write it back as it was.

    Bytes that are not valid in the encoding are lone surrogates in `text`.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    note: str = ""
    """What is special about the encoding, as text; empty for plain UTF-8."""
    newline: str = "\n"
    """How most lines end."""
    mixed: bool = False
    """Some lines end with CRLF and some with LF."""

    @property
    def valid(self) -> bool:
        """Whether every byte was valid in the encoding."""
        return not self.note or bool(self.mark)

    def encode(self, text: str) -> bytes:
        """Return the file's bytes with another text."""
        return self.mark + text.encode(self.encoding, "surrogateescape")


def decode_text(data: bytes) -> TextFile | None:
    """Decode bytes as a text file; `None` when they are binary."""
    for mark, encoding, note in _MARKS:
        if data.startswith(mark):
            try:
                return _text_file(data[len(mark) :].decode(encoding), encoding, mark, note)
            except UnicodeDecodeError:
                break
    if b"\0" in data:
        return None
    try:
        return _text_file(data.decode("utf-8"))
    except UnicodeDecodeError:
        note = r"not UTF-8; such bytes are shown as \xNN"
        return _text_file(data.decode("utf-8", "surrogateescape"), note=note)


def _text_file(text: str, encoding: str = "utf-8", mark: bytes = b"", note: str = "") -> TextFile:
    windows = text.count("\r\n") if "\r" in text else 0
    plain = text.count("\n") - windows if windows else 0
    newline = "\r\n" if windows > plain else "\n"
    return TextFile(text, encoding, mark, note, newline, mixed=bool(windows and plain))


def count_lines(text: str) -> int:
    """Count lines, with a last one that does not end."""
    return text.count("\n") + (text[-1:] not in ("", "\n"))


def lines_from(text: str, first: int = 0) -> Iterator[str]:
    """Yield lines without their ends from an index on; costs no more than what is taken."""
    start = 0
    while first:  # whole blocks are skipped by their count alone
        count = text.count("\n", start, start + _BLOCK)
        if count >= first or start >= len(text):
            break
        first -= count
        start += _BLOCK
    for _ in range(first):
        start = text.find("\n", start) + 1 or len(text)
    while start < len(text):
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        yield text[start:end]
        start = end + 1


def displayed(text: str) -> str:
    r"""Return a decoded file's text in a form that can be shown: \xNN for what is not text."""
    text = _NO_BYTES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return show(text.encode("utf-8", "surrogateescape"))


def one_line(text: str, limit: int) -> str:
    """Return a text on one line, cut at a limit of characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit].rstrip()}..."


def counted(number: int, noun: str) -> str:
    """Return `1 line`, `2,000 lines`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
