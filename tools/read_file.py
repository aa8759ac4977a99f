"""The `read_file` tool: a file's lines, numbered, or the text of a document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pydantic import Field

from sandbox.protocol import FileData, FileError
from tools.base import Cut, Emit, Params, Tool, ToolError, ToolResult
from tools.documents import Kind, kind_of, named_like_document
from tools.files import SessionFiles, path_field
from tools.filetypes import describe_binary
from tools.output import LINE, PAGE, show_line
from tools.text import TextFile, count_lines, decode_text, lines_from

MAX_LINES = 2_000


class ReadFileParams(Params):
    """Which part of which file."""

    path: str = path_field()
    offset: int = Field(1, description="First line to read, counted from 1.", ge=1)
    limit: int = Field(MAX_LINES, description="Most lines to read.", ge=1, le=MAX_LINES)
    pages: str = Field(
        "",
        description="Pages of a PDF, sheets of a workbook or tables of a database: 3, 3-7 or 3-.",
    )


class ReadFile(Tool[ReadFileParams]):
    """Reads text files and documents; describes what is neither."""

    name = "read_file"
    params = ReadFileParams
    parallel = True

    def __init__(self, files: SessionFiles) -> None:
        self._files = files

    async def run(self, params: ReadFileParams, emit: Emit) -> ToolResult:
        """Read lines of the file and remember what the file was."""
        try:
            if named_like_document(params.path):
                head = await self._files.head(params.path)
                if kind := _document_kind(params, head):
                    return await self._document(params, head, kind)
            file = await self._files.read(params.path)
        except FileError as error:
            if error.kind == "is_directory":
                message = f"{params.path} is a directory. List it with bash: ls -la"
                raise ToolError("is_directory", message) from None
            raise
        if not named_like_document(params.path) and (kind := kind_of("", file.data)):
            return await self._document(params, file, kind)
        content = decode_text(file.data)
        if content is None:
            what = describe_binary(file.data)
            return ToolResult(f"[{what}, {file.size:,} bytes; only text can be shown]")
        if params.pages:
            message = f"{params.path} is a text file: it has no pages. Use offset and limit."
            raise ToolError("no_pages", message)
        self._files.mark_seen(file)
        if not content.text:
            return ToolResult("[the file is empty]")
        return _excerpt(params, content)

    async def _document(self, params: ReadFileParams, file: FileData, kind: Kind) -> ToolResult:
        """Return the text of a document. The model has not seen its bytes: it is not marked."""
        given = params.model_fields_set
        document = await self._files.document(
            file.path,
            kind,
            pages=params.pages,
            offset=params.offset if "offset" in given else None,
            limit=params.limit if "limit" in given else None,
        )
        notes = (f"[{note}]" for note in document.notes)
        text = "\n".join([*([document.text] if document.text else []), *notes])
        return ToolResult(text, details={"document": kind, "bytes": file.size})


def _document_kind(params: ReadFileParams, head: FileData) -> Kind | None:
    """Return what a file is read as; `None` for its lines, as of a table that is small."""
    kind = kind_of(params.path, head.data)
    in_lines = kind == "csv" and (
        head.sha256 is not None or not params.model_fields_set.isdisjoint(("offset", "limit"))
    )
    return None if in_lines else kind


def _excerpt(params: ReadFileParams, content: TextFile) -> ToolResult:
    count = count_lines(content.text)
    first = params.offset - 1
    if first >= count:
        raise ToolError(
            "out_of_range",
            f"{params.path} has {count:,} lines; there is no line {params.offset:,}.",
        )
    windows = content.newline == "\r\n" and not content.mixed
    wanted = islice(lines_from(content.text, first), params.limit)
    shown, cut = _numbered(wanted, params.offset, windows)
    last = first + len(shown)
    notes = _notes(content)
    if first or last < count:
        more = f"; go on with offset={last + 1}" if last < count else ""  # words: allow
        notes.insert(0, f"lines {params.offset:,}-{last:,} of {count:,}{more}")
    if last == count and not content.text.endswith("\n"):
        notes.append("no newline at the end of the file")
    text = "\n".join([*shown, *(f"[{note}]" for note in notes)])
    return ToolResult(text, cut=Cut(cut, 0) if cut else None)


def _notes(content: TextFile) -> list[str]:
    notes = [content.note] if content.note else []
    if content.mixed:
        notes.append(r"some lines end with CRLF (its CR is shown as \x0d), some with LF")
    elif content.newline == "\r\n":
        notes.append("lines end with CRLF")
    return notes


def _numbered(lines: Iterable[str], number: int, windows: bool) -> tuple[list[str], int]:
    """Number lines until the call's text is full; also return the bytes cut off long lines."""
    shown: list[str] = []
    room = PAGE
    cut = 0
    for line in lines:
        raw = (line.removesuffix("\r") if windows else line).encode("utf-8", "surrogateescape")
        text = f"{number:>6}\t{show_line(raw)}"
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
        number += 1
        cut += max(0, len(raw) - LINE)
    return shown, cut
