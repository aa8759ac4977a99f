"""Reads a PDF page by page: its text, its tables as rows, and which pages are only pictures."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from .parts import DocumentRequest, Excerpt, Unreadable, counted, window

MOST_CHARACTERS = 50_000
"""Of one page; a page of a book has about 3,000."""
_GAP = 1.5
"""Heights of a line that two texts on it stand apart to be two cells."""


def read(path: str, request: DocumentRequest) -> Excerpt:
    """Return the chosen pages, as many as there is room for. Raises `Unreadable`."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable("encrypted", "The PDF is encrypted: it needs a password.") from None
        raise Unreadable(
            "damaged", "The PDF is damaged or is not one: it cannot be read."
        ) from None
    pages = request.chosen(count, "page")
    answer, room, scanned = Excerpt(), request.room, 0
    for index in pages:
        lines, is_scanned = _page(document, index)
        scanned += is_scanned
        size = sum(len(line) + 1 for line in lines)
        if size > room and index > pages.start:
            break
        if size > room or (len(pages) == 1 and (request.offset or request.limit)):
            answer = window(lines, request)
            answer.notes = [f"{note} (with pages={index + 1})" for note in answer.notes]
        else:
            answer.lines += lines
        room -= size
        last = index
    answer.notes.insert(0, _where(pages.start + 1, last + 1, count))
    if scanned:
        answer.notes.append(f"{counted(scanned, 'page')} scanned, no text: only pictures are there")
    return answer


def _where(first: int, last: int, count: int) -> str:
    if first == 1 and last == count:
        return f"PDF, {counted(count, 'page')}"
    go_on = f"; go on with pages={last + 1}-{count}" if last < count else ""  # words: allow
    return f"PDF, pages {first:,}-{last:,} of {count:,}{go_on}"


def _page(document: Any, index: int) -> tuple[list[str], bool]:
    """Return a page's lines with a title, and whether it is only pictures."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    title = f"--- page {index + 1} ---"
    try:
        page = document[index]
        text = page.get_textpage()
    except pypdfium2.PdfiumError:
        return [title, "[this page is damaged]"], False
    lines = [line for line in _lines(pdfium, text.raw) if line.strip()]
    if lines:
        return [title, *lines], False
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    if next(iter(pictures), None) is not None:
        return [title, "[scanned, no text]"], True
    return [title, "[empty]"], False


class _Line:
    """A line of a page as it grows: characters, and where they stand."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.right = self.bottom = self.top = 0.0
        self.space = False

    def continues(self, left: float, bottom: float, top: float) -> bool:
        """Whether what stands there is on this line, right of its end."""
        overlap = min(self.top, top) - max(self.bottom, bottom)
        height = max(self.top - self.bottom, 1.0)
        return overlap > 0.3 * min(height, max(top - bottom, 0.1)) and left > self.right - height

    def add(self, letter: str, left: float, right: float, bottom: float, top: float) -> None:
        """Add a character; what stands far from the one before is another cell."""
        if self.text:
            apart = left - self.right
            if apart > _GAP * max(self.top - self.bottom, 1.0):
                self.text.append(" | ")
            elif self.space:
                self.text.append(" ")
            self.bottom, self.top = min(self.bottom, bottom), max(self.top, top)
        else:
            self.bottom, self.top = bottom, top
        self.text.append(letter)
        self.right, self.space = right, False


def _lines(pdfium: Any, text: Any) -> Iterator[str]:
    """Yield a page's lines in the order in which the file has them."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    box = [ctypes.byref(one) for one in (left, right, bottom, top)]
    count = pdfium.FPDFText_CountChars(text)
    line, broken = _Line(), False
    for index in range(min(count, MOST_CHARACTERS)):
        code = pdfium.FPDFText_GetUnicode(text, index)
        if code in (10, 13):
            broken = True
        elif code in (9, 32, 160):
            line.space = True
        elif code > 32 and not 0xD800 <= code < 0xE000 and code < 0x110000:
            pdfium.FPDFText_GetCharBox(text, index, *box)
            place = (left.value, bottom.value, top.value)
            if line.text and broken and not line.continues(*place):
                yield "".join(line.text)
                line = _Line()
            line.space = line.space or broken
            broken = False
            line.add("-" if code == 2 else chr(code), left.value, right.value, *place[1:])
    yield "".join(line.text)
    if count > MOST_CHARACTERS:
        yield f"[… {count - MOST_CHARACTERS:,} more characters on this page]"
