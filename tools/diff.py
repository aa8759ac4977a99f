"""Unified diffs from edits whose places are known: bounded by what changed, not by the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.snapshots.text_diff import LineMatcher
from tools.text import count_lines, displayed, lines_from

MAX_LINES = 400
"""Lines of a diff that are kept."""
_WIDTH = 1_000
"""Characters of a line that are kept."""
_COMPARED = 2_000
"""Lines of a change that are compared one by one; a larger one is shown as a whole."""
_NO_NEWLINE = "\n\\ No newline at end of file"

Change = tuple[int, str, str]
"""Index of the first line (from 0), the text of whole lines before, and after."""


def unified_diff(path: str, changes: Sequence[Change]) -> str:
    """Return a unified diff of one file, cut after `MAX_LINES` lines (the last line says so)."""
    name = displayed(path.lstrip("/"))
    lines = [f"--- a/{name}", f"+++ b/{name}"]
    shift = 0
    for first, old, new in changes:
        for line in _hunks(old, new, first, first + shift):
            if len(lines) == MAX_LINES:
                lines.append("... the rest of the diff is left out")
                return "\n".join(lines)
            cut = "..." if len(line) > _WIDTH else ""
            lines.append(displayed(line[:_WIDTH].removesuffix("\r")) + cut)
        shift += count_lines(new) - count_lines(old)
    return "\n".join(lines)


def _hunks(old: str, new: str, old_first: int, new_first: int) -> Iterator[str]:
    old_count, new_count = count_lines(old), count_lines(new)
    if max(old_count, new_count) > _COMPARED:
        yield f"@@ -{_range(old_first, old_count)} +{_range(new_first, new_count)} @@"
        yield from (f"-{line}" for line in _lines(old))
        yield from (f"+{line}" for line in _lines(new))
        return
    before, after = list(_lines(old)), list(_lines(new))
    for group in LineMatcher(before, after).get_grouped_opcodes(3):
        _, a, _, c, _ = group[0]
        _, _, b, _, d = group[-1]
        yield f"@@ -{_range(old_first + a, b - a)} +{_range(new_first + c, d - c)} @@"
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from (f" {line}" for line in before[i:j])
            else:
                yield from (f"-{line}" for line in before[i:j])
                yield from (f"+{line}" for line in after[k:m])


def _lines(text: str) -> Iterator[str]:
    """Yield lines without their ends; a last one without an end says so, as diff does."""
    open_end = text[-1:] != "\n"
    last = len(text) if open_end else -1
    for line in lines_from(text):
        last -= len(line) + 1
        yield line + _NO_NEWLINE if open_end and last < 0 else line


def _range(start: int, count: int) -> str:
    return f"{start + 1 if count else start},{count}"
