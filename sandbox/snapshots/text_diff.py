"""Two versions of a file → unified diff text, in bounded time whatever they hold."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher

_CONTEXT = 3
_WORK = 10_000_000
"""Steps that difflib may take at most, about a quarter of a second: its worst case is every pair of
equal lines, once for every line. What exceeds it is shown as replaced as a whole."""

Opcode = tuple[str, int, int, int, int]
"""As in difflib: `a[i1:i2]` becomes `b[j1:j2]`; tag `equal` or `replace`."""


def unified_diff(before: str | None, after: str | None, path: str) -> str:
    """Return a unified diff, empty when nothing differs; `None` means there is no such file."""
    old, new = _lines(before or ""), _lines(after or "")
    if old == new:
        return ""
    head = [
        "--- " + ("/dev/null" if before is None else quoted("a/" + path)),
        "+++ " + ("/dev/null" if after is None else quoted("b/" + path)),
    ]
    return "\n".join([*head, *_hunks(old, new)]) + "\n"


def line_counts(before: str | None, after: str | None) -> tuple[int, int]:
    """Return how many lines came and went, as the unified diff shows them."""
    old, new = _lines(before or ""), _lines(after or "")
    replaced = [step for step in LineMatcher(old, new).get_opcodes() if step[0] != "equal"]
    return sum(j2 - j1 for *_, j1, j2 in replaced), sum(i2 - i1 for _, i1, i2, *_ in replaced)


def quoted(path: str) -> str:
    """Return a path as a line of text can hold it."""
    text = path.encode("utf-8", "backslashreplace").decode()
    return text if text.isprintable() else json.dumps(text)


def _lines(text: str) -> list[str]:
    """Split at newlines alone; a last line without one is marked, as `diff` does."""
    lines = text.split("\n")
    if lines[-1] == "":
        return lines[:-1]
    lines[-1] += "\n\\ No newline at end of file"
    return lines


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    for group in LineMatcher(old, new).get_grouped_opcodes(_CONTEXT):
        i1, i2, j1, j2 = group[0][1], group[-1][2], group[0][3], group[-1][4]
        yield f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (" " + line for line in old[i1:i2])
            else:
                yield from ("-" + line for line in old[i1:i2])
                yield from ("+" + line for line in new[j1:j2])


def _range(start: int, stop: int) -> str:
    """Return a range of lines as hunks name it: one line alone without its length."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


class LineMatcher(SequenceMatcher[str]):
    """difflib's matcher: its grouping as it is, its matching bounded whatever the lines are."""

    def __init__(self, old: list[str], new: list[str]) -> None:
        super().__init__(None, (), ())
        self._old, self._new = old, new

    def get_opcodes(self) -> list[Opcode]:  # type: ignore[override]
        """Return how the old lines become the new ones."""
        return _join(_opcodes(self._old, self._new))


def _opcodes(old: list[str], new: list[str]) -> Iterator[Opcode]:
    """Match lines that are unique in both first, then with difflib what lies between them."""
    work = _WORK
    i = j = 0
    for a, b in [*_anchors(old, new), (len(old), len(new))]:
        steps = _most_steps(old[i:a], new[j:b])
        if 0 < steps <= work:
            work -= steps
            matcher = SequenceMatcher(None, old[i:a], new[j:b], autojunk=False)
            for tag, i1, i2, j1, j2 in matcher.get_opcodes():
                yield "equal" if tag == "equal" else "replace", i + i1, i + i2, j + j1, j + j2
        elif a > i or b > j:
            yield "replace", i, a, j, b
        if a < len(old) and b < len(new):
            yield "equal", a, a + 1, b, b + 1
        i, j = a + 1, b + 1


def _most_steps(old: list[str], new: list[str]) -> int:
    """Return how many steps difflib takes at most to match lines; 0 when none are equal."""
    in_old, in_new = Counter(old), Counter(new)
    equal_pairs = sum(count * in_new[line] for line, count in in_old.items())
    return equal_pairs * min(len(old), len(new))


def _anchors(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Return the positions of lines that surely match, as rising pairs.

    The common start and end, and of the lines that are unique in both (as in "patience diff")
    the longest sequence in the same order.
    """
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle = _rising(_unique_pairs(old, new, start, end))
    return [
        *((at, at) for at in range(start)),
        *middle,
        *((len(old) - at, len(new) - at) for at in range(end, 0, -1)),
    ]


def _unique_pairs(old: list[str], new: list[str], start: int, end: int) -> list[tuple[int, int]]:
    inner_old, inner_new = old[start : len(old) - end], new[start : len(new) - end]
    in_old, in_new = Counter(inner_old), Counter(inner_new)
    where = {line: start + at for at, line in enumerate(inner_new) if in_new[line] == 1}
    return [
        (start + at, where[line])
        for at, line in enumerate(inner_old)
        if in_old[line] == 1 and line in where
    ]


def _rising(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of the pairs, in order, in which the second numbers rise."""
    ends: list[int] = []
    """The smallest second number that ends a rising part of each length."""
    last: list[int] = []
    """Which pair that is."""
    previous: list[int] = []
    for index, (_, b) in enumerate(found):
        length = bisect_left(ends, b)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [b]
        last[length : length + 1] = [index]
    rising = []
    index = last[-1] if last else -1
    while index >= 0:
        rising.append(found[index])
        index = previous[index]
    return rising[::-1]


def _join(opcodes: Iterator[Opcode]) -> list[Opcode]:
    """Join neighbours of one tag."""
    joined: list[Opcode] = []
    for tag, i1, i2, j1, j2 in opcodes:
        if joined and joined[-1][0] == tag:
            _, first_i, _, first_j, _ = joined[-1]
            joined[-1] = (tag, first_i, i2, first_j, j2)
        else:
            joined.append((tag, i1, i2, j1, j2))
    return joined
