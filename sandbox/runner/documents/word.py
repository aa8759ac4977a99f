"""Reads a Word document (docx): paragraphs, headings, lists and tables, in their order."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from xml.parsers import expat

from .parts import DocumentRequest, Excerpt, Unreadable, row, window

MOST_XML = 128 << 20
"""Bytes of the text's XML, unpacked."""
_PIECE = 1 << 16


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the chosen lines of the text. Raises `Unreadable`."""
    try:
        with zipfile.ZipFile(path) as archive:
            answer = window(_lines(archive), request)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError, expat.ExpatError) as error:
        if "encrypted" in str(error):
            raise Unreadable("encrypted", "The document is encrypted.") from None
        raise Unreadable("damaged", "It is not a readable Word document: damaged.") from None
    except RuntimeError:  # what zipfile raises for a member with a password
        raise Unreadable("encrypted", "The document is encrypted.") from None
    answer.notes.insert(0, "Word document: its text, without pictures")
    return answer


def _lines(archive: zipfile.ZipFile) -> Iterator[str]:
    reader, unpacked = _Reader(), 0
    with archive.open("word/document.xml") as member:
        while piece := member.read(_PIECE):
            unpacked += len(piece)
            if unpacked > MOST_XML:
                raise Unreadable(
                    "too_large", f"Its text has more than {MOST_XML:,} bytes unpacked: not read."
                )
            reader.parser.Parse(piece, False)
            yield from reader.take()
        reader.parser.Parse(b"", True)
        yield from reader.take()


def _refuse(*_: object) -> None:
    raise Unreadable("damaged", "It declares entities of its own, which no Word document does.")


class _Reader:
    """Makes lines of the elements of WordprocessingML (ECMA-376, part 1, 17)."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._done: list[str] = []
        self._paragraph: list[str] = []
        self._rows: list[list[str]] = []
        """The open row of each table that is open, the innermost last."""
        self._prefix = ""
        self._in_text = False

    def take(self) -> list[str]:
        """Return the lines that are complete."""
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        value = next((v for k, v in attributes.items() if k.endswith(" val")), "")
        if tag == "t":
            self._in_text = True
        elif tag in ("tab", "br", "cr"):
            self._paragraph.append("\t" if tag == "tab" else " ")
        elif tag == "pStyle" and value.lower().startswith("heading") and value[-1:].isdigit():
            self._prefix = "#" * min(int(value[-1]) or 1, 6) + " "
        elif tag == "pStyle" and value.lower() == "title":
            self._prefix = "# "
        elif tag == "numPr" or (tag == "pStyle" and value.lower().startswith("list")):
            self._prefix = self._prefix or "- "
        elif tag in ("drawing", "pict"):
            self._paragraph.append("[picture]")
        elif tag == "tr":
            self._rows.append([])
        elif tag == "tc" and self._rows:
            self._rows[-1].append("")

    def _end(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag == "t":
            self._in_text = False
        elif tag == "p":
            self._end_paragraph("".join(self._paragraph).strip())
            self._paragraph, self._prefix = [], ""
        elif tag == "tr" and self._rows:
            cells = self._rows.pop()
            if self._rows and self._rows[-1]:  # a table in a cell
                self._rows[-1][-1] += " " + " ".join(cells)
            else:
                self._done.append(row(cells))

    def _end_paragraph(self, text: str) -> None:
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] = f"{self._rows[-1][-1]} {text}".strip()
        elif text:
            self._done.append(self._prefix + text)

    def _text(self, text: str) -> None:
        if self._in_text:
            self._paragraph.append(text)
