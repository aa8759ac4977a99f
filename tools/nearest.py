"""Diagnoses a text that a file does not hold: where it comes nearest, and what differs there.

Linear in the file: lines vote for the place where the text would begin if they were part of it.
"""

from __future__ import annotations

import difflib
import heapq
import json
import re
from collections import Counter, defaultdict
from itertools import takewhile

from tools.text import displayed

_MOST_LINES = 1_000_000
"""Of a file: in a longer one nothing is looked for, which would take hundreds of megabytes."""
_VOTES = 3
"""Equal lines of the text that a line of the file votes for."""
_QUOTED = 200
"""Characters of a line that are quoted."""
_SEARCHED = 200_000
"""Lines of the file that are searched for one that is only alike."""
_COMPARED = 10
"""Candidates of them that are compared letter by letter."""
_ALIKE = 0.6
"""Similarity from which on a line is called alike."""
_NUMBERED = re.compile(r"\s*\d+\t")
_WORD = re.compile(r"\w+")
_COPY = "Copy the text exactly as it is in the file."


def diagnose_miss(text: str, old: str) -> str:
    """Say in a few lines where `text` comes nearest to `old`, which it does not hold."""
    wanted = [line.removesuffix("\r") for line in old.split("\n")]
    if all(_NUMBERED.match(line) for line in wanted if line):
        return "It begins with line numbers as read_file shows them; leave out number and tab."
    if text.count("\n") > _MOST_LINES:
        return "The file is too long to say where it comes nearest: look with grep."
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    start = _start_by_equal_lines(lines, wanted)
    if start is None:
        return _nearest_line(lines, wanted)
    there = lines[max(start, 0) : start + len(wanted)]
    if start < 0 or len(there) < len(wanted):
        edge = "begins before the first" if start < 0 else "goes on after the last"
        return f"It comes nearest at line {max(start, 0) + 1:,}, but {edge} line. {_COPY}"
    return _first_difference(there, wanted, start)


def _first_difference(there: list[str], wanted: list[str], start: int) -> str:
    """Quote the first line that differs; the text may begin and end within a line."""
    last = len(wanted) - 1
    for index, (line, want) in enumerate(zip(there, wanted, strict=True)):
        begins, ends = index == last and line.startswith(want), index == 0 and line.endswith(want)
        if line != want and not begins and not ends:
            return _difference(start + index + 1, line, want)
    return f"It is at line {start + 1:,}, but the lines end differently (CRLF or LF). {_COPY}"


def _nearest_line(lines: list[str], wanted: list[str]) -> str:
    """Quote the line that is most like the longest line of `wanted`."""
    want = max(wanted, key=lambda line: len(line.strip()))
    words = set(_WORD.findall(want))
    scores: list[tuple[float, int]] = []
    for number, line in enumerate(lines[:_SEARCHED]):
        there = set(_WORD.findall(line[:_QUOTED]))
        if shared := len(words & there):
            scores.append((shared / len(words | there), -number))
    matcher = difflib.SequenceMatcher(None, "", want.strip()[:_QUOTED], autojunk=False)
    best, best_number = 0.0, -1
    for _, negative in heapq.nlargest(_COMPARED, scores):
        matcher.set_seq1(lines[-negative].strip()[:_QUOTED])
        if (ratio := matcher.ratio()) > best:
            best, best_number = ratio, -negative
    if best < _ALIKE:
        return "Nothing in the file is like it. Read the file again."
    return _difference(best_number + 1, lines[best_number], want)


def _difference(number: int, line: str, want: str) -> str:
    only_spaces = " only in spaces or tabs" if line.split() == want.split() else ""
    return (
        f"It comes nearest at line {number:,}, which differs{only_spaces}:\n"
        f"  file: {_quoted(line, want)}\n  old:  {_quoted(want, line)}\n{_COPY}"
    )


def _quoted(line: str, other: str) -> str:
    """Quote a line, a long one around the first place where it differs from another."""
    start = 0
    if len(line) > _QUOTED:
        same = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(line, other, strict=False))
        )
        start = max(0, same - _QUOTED // 2)
    part = json.dumps(displayed(line[start : start + _QUOTED]), ensure_ascii=False)
    after = "..." if start + _QUOTED < len(line) else ""
    return f"{'...' if start else ''}{part}{after}"


def _start_by_equal_lines(lines: list[str], wanted: list[str]) -> int | None:
    """Find the index of the line where most lines of `wanted`, spaces aside, would be in place."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, line in enumerate(wanted):
        key = line.strip()
        if key and len(places[key]) < _VOTES:
            places[key].append(index)
    votes: Counter[int] = Counter()
    for number, line in enumerate(lines):
        for index in places.get(line.strip(), ()):
            votes[number - index] += 1
    return votes.most_common(1)[0][0] if votes else None
