"""The `edit_file` tool: exact replacements in a file, all of them or none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from pydantic import Field

from tools.base import Emit, Params, Tool, ToolError, ToolResult
from tools.diff import MAX_LINES, Change, unified_diff
from tools.files import READ_LIMIT, SessionFiles, in_workspace, path_field
from tools.nearest import diagnose_miss
from tools.text import TextFile, counted, decode_text, displayed

_CONTEXT = 3
"""Unchanged lines around a change that its diff shows."""
_MOST_PLACES = 100_000
"""Replaced by one call: each costs some memory, and a file can hold tens of millions."""
_LINES_NAMED = 10
"""Places of an ambiguous text that are named."""


class Replacement(Params):
    """One replacement."""

    old: str = Field(description="Text in the file, copied exactly.", min_length=1)
    new: str = Field(description="Text to put in its place; empty to delete it.")
    replace_all: bool = Field(False, description="Replace every occurrence of `old`.")


class EditFileParams(Params):
    """Which replacements in which file."""

    path: str = path_field()
    edits: list[Replacement] = Field(description="One or more replacements.", min_length=1)


class _Patch(NamedTuple):
    """A place in the text and what comes there."""

    start: int
    end: int
    new: str
    edit: int
    """Which edit asked for it."""


class EditFile(Tool[EditFileParams]):
    """Edits text files, keeping their encoding, newlines and mode."""

    name = "edit_file"
    params = EditFileParams

    def __init__(self, files: SessionFiles) -> None:
        self._files = files

    async def run(self, params: EditFileParams, emit: Emit) -> ToolResult:
        """Find every edit's place in the file as it is, then write all of them at once."""
        before = await self._files.read(params.path)
        content = decode_text(before.data)
        if content is None:
            raise ToolError("binary", f"{params.path} is not a text file; nothing was changed.")
        # In threads: what comes nearest to a miss, and the diff, can take a while.
        replacements = await asyncio.to_thread(_find_all, params, content)
        data = content.encode(_apply(content.text, replacements))
        freshness = self._files.freshness(before)
        written = await self._files.write(params.path, data, before)
        if freshness != "unseen":
            self._files.mark_seen(written)
        path, places = displayed(params.path), counted(len(replacements), "place")
        lines = _lines_of(content.text, [one.start for one in replacements])
        stale = " The file had changed since you last read it." if freshness == "changed" else ""
        diff = await asyncio.to_thread(_diff, params.path, content.text, replacements)
        return ToolResult(
            f"Edited {path}: replaced {places} ({lines}).{stale}",
            changed=in_workspace(written),
            details={"diff": diff, "replaced": len(replacements)},
        )


def _find_all(params: EditFileParams, content: TextFile) -> list[_Patch]:
    """Find all places, in order. Raises `ToolError` when an edit does not fit."""
    found: list[_Patch] = []
    size = 0
    for index, edit in enumerate(params.edits):
        name = f"edits[{index}]" if len(params.edits) > 1 else "the edit"
        if edit.old == edit.new:
            raise _refused("no_change", f"`old` and `new` of {name} are the same.")
        if not content.valid and not edit.new.isascii():
            problem = f"{params.path} is not UTF-8, and `new` of {name} is not plain ASCII."
            raise _refused("encoding", f"{problem} Use python to write it in its own encoding.")
        here = _find(params.path, index, name, edit, content)
        found += here
        size += sum(len(one.new) for one in here)
        _refuse_too_much(params.path, len(found), size)
    found.sort(key=lambda replacement: replacement.start)
    for one, other in pairwise(found):
        if other.start < one.end:
            line = content.text.count("\n", 0, other.start) + 1
            both = f"edits[{one.edit}] and edits[{other.edit}] overlap at line {line}"
            raise _refused("overlap", f"{both}; make them one edit.")
    return found


def _refuse_too_much(path: str, places: int, characters: int) -> None:
    if places > _MOST_PLACES or characters > READ_LIMIT:
        problem = f"That is more than one call can replace in {path} ({_MOST_PLACES:,} places, "
        raise _refused("too_large", f"{problem}{READ_LIMIT:,} characters). Use bash: sed, python.")


def _find(path: str, index: int, name: str, edit: Replacement, content: TextFile) -> list[_Patch]:
    spans = _spans(content, edit.old)
    if not spans:
        problem = f"`old` of {name} was not found in {path}."
        raise _refused("not_found", f"{problem}\n{diagnose_miss(content.text, edit.old)}")
    if len(spans) > 1 and not edit.replace_all:
        lines = _lines_of(content.text, [start for start, _ in spans])
        times = f"{len(spans)} times in {path} ({lines})"
        if len(spans) > _MOST_PLACES:
            times = f"more than {_MOST_PLACES:,} times in {path}"
        problem = f"`old` of {name} was found {times}."
        raise _refused("ambiguous", f"{problem} Add lines around it, or set replace_all.")
    _refuse_too_much(path, len(spans), len(spans) * len(edit.new))
    if content.mixed:
        new_at = [_with_newlines(edit.new, _newline_at(content, *span)) for span in spans]
    else:
        new_at = [_with_newlines(edit.new, content.newline)] * len(spans)
    return [_Patch(*span, new, index) for span, new in zip(spans, new_at, strict=True)]


def _newline_at(content: TextFile, start: int, end: int) -> str:
    """Return how the lines of a place end, or else those of the file."""
    place = content.text[start:end]
    return "\r\n" if "\r\n" in place else "\n" if "\n" in place else content.newline


def _with_newlines(text: str, newline: str) -> str:
    """Write a text with CRLF where a place has them; in others it stays exactly as it is."""
    return text if newline == "\n" else text.replace("\r\n", "\n").replace("\n", newline)


def _refused(kind: str, problem: str) -> ToolError:
    first, newline, more = problem.partition("\n")
    return ToolError(kind, f"{first} Nothing was changed.{newline}{more}")


def _spans(content: TextFile, old: str) -> list[tuple[int, int]]:
    """Find `old`, in one place more than can be replaced at most."""
    return list(islice(_all_spans(content, old), _MOST_PLACES + 1))


def _all_spans(content: TextFile, old: str) -> Iterator[tuple[int, int]]:
    """Find `old`; where the file has CRLF, a newline of `old` stands for either."""
    if "\n" in old and (content.mixed or content.newline == "\r\n"):
        yield from _spans_of_lines(content.text, old.replace("\r\n", "\n"))
    else:
        yield from _plain_spans(content.text, old)


def _plain_spans(text: str, old: str) -> Iterator[tuple[int, int]]:
    start = text.find(old)
    while start >= 0:
        yield start, start + len(old)
        start = text.find(old, start + len(old))


def _spans_of_lines(text: str, old: str) -> Iterator[tuple[int, int]]:
    """Find `old` as if every line ended with a newline alone."""
    place = before = 0
    for start, end in _plain_spans(text.replace("\r\n", "\n"), old):
        first = _skip(text, place, start - before)
        place, before = _skip(text, first, end - start), end
        yield first, place


def _skip(text: str, start: int, count: int) -> int:
    """Return the place after `count` characters, of which CRLF counts as one."""
    end = start
    while count:
        start, end = end, min(end + count, len(text))
        if text.startswith("\n", end) and text.startswith("\r", end - 1):
            end += 1  # a CRLF is not parted
        count -= end - start - text.count("\r\n", start, end)
    return end


def _apply(text: str, replacements: list[_Patch], start: int = 0, end: int | None = None) -> str:
    """Return a stretch of the text with the replacements that lie in it."""
    pieces: list[str] = []
    for one in replacements:
        pieces += (text[start : one.start], one.new)
        start = one.end
    return "".join([*pieces, text[start:end]])


def _lines_of(text: str, positions: list[int]) -> str:
    """Name the lines of some positions, in words."""
    numbers = []
    number, last = 1, 0
    for position in positions[:_LINES_NAMED]:
        number += text.count("\n", last, position)
        last = position
        numbers.append(str(number))
    more = f" and {len(positions) - _LINES_NAMED} more" if len(positions) > _LINES_NAMED else ""
    return f"line{'s' if len(positions) > 1 else ''} {', '.join(numbers)}{more}"


def _diff(path: str, text: str, replacements: list[_Patch]) -> str:
    return unified_diff(path, _changes(text, replacements))


def _changes(text: str, replacements: list[_Patch]) -> list[Change]:
    """Return the changed regions as whole lines with context; neighbours share one region."""
    regions: list[tuple[int, int, list[_Patch]]] = []
    for one in replacements[:MAX_LINES]:  # a diff has no room for more
        start, end = _whole_lines(text, one.start, one.end)
        if regions and start <= regions[-1][1]:
            start, _, members = regions.pop()
            regions.append((start, end, [*members, one]))
        else:
            regions.append((start, end, [one]))
    changes: list[Change] = []
    line = position = 0
    for start, end, members in regions:
        line += text.count("\n", position, start)
        position = start
        changes.append((line, text[start:end], _apply(text, members, start, end)))
    return changes


def _whole_lines(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole lines and to the context around them."""
    start = text.rfind("\n", 0, start) + 1
    for _ in range(_CONTEXT):
        start = text.rfind("\n", 0, start - 1) + 1 if start else 0
    for _ in range(1 + _CONTEXT):
        end = text.find("\n", end) + 1 or len(text)
    return start, end
