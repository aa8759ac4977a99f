"""Links each claim of answers and report files to the observation that it comes from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import frexp
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from recordings.evidence.claims import Claim, ClaimKind, find_claims
from recordings.storage.lines import parse_line
from recordings.storage.log import head_of, read_lines

Standing = Literal["sourced", "never_opened", "no_source"]
DOUBTED: dict[Standing, str] = {
    "never_opened": "cited, never opened",
    "no_source": "no source",
}
_SEARCHES = frozenset({"web_search", "papers"})
"""Tools that show a few words of what they find: nothing of it was opened."""
_WRITES = frozenset({"write_file", "edit_file"})
_REPORT = re.compile(r"\.(?:md|rst|txt|tex|html)\Z", re.I)
_Kinds = tuple[ClaimKind, ...]
_FILES: _Kinds = ("file",)
_CITED: _Kinds = ("address", "paper")
_NUMBERS: _Kinds = ("number",)
_READ = frozenset({"user_message", "tool_call", "observation"})
MOST_CLAIMS = 1000
"""Different claims of a recording: each is looked for in every observation."""
_MOST_MADE = 10 * MOST_CLAIMS
"""Claims of a recording, the same ones counted again."""
_LONGEST_SOURCE = 1 << 20
"""Characters of an event in which claims are looked for."""
_MOST_COMPARED = 1 << 34
"""Characters that are compared in a recording, for each claim by itself: some seconds."""
_LEAST_COMPARED = 1000
"""What a claim costs in an event that is short."""
_NUMBER = re.compile(r"\d[\d,]{0,40}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?")
_WORD = re.compile(r"[\w/?&=%-]")
"""What continues an address, a name or a number."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A claim, and where it comes from."""

    claim: Claim
    seq: int
    """The event that makes the claim: an answer, or the call that writes a report."""
    step: int
    standing: Standing
    source: int | None = None
    """The event that it comes from."""


def read_evidence(folder: Path) -> list[Evidence]:
    """Return the claims of all answers and reports of a recording, in order: the first
    `MOST_CLAIMS` different ones, wherever they are made.

    In a recording in which so many would be compared with so much that it takes minutes, the
    claims without a source up to there are left out.

    Raises `RecordingDamaged`, `RecordingTooNew`, and what malformed events raise.
    """
    made: list[tuple[int, int, Claim]] = []
    claims: set[Claim] = set()
    for seq, step, claim in islice(_claims(folder), _MOST_MADE):
        if claim in claims or len(claims) < MOST_CLAIMS:
            claims.add(claim)
            made.append((seq, step, claim))
    sources = _Sources(claims)
    if made:
        for event in _events(folder, _READ):
            sources.take(event["type"], event["seq"], event["data"])
    found = [sources.evidence(seq, step, claim) for seq, step, claim in made]
    return [one for one in found if one.standing == "sourced" or sources.were_compared]


def unsourced_steps(folder: Path) -> dict[int, str]:
    """Return the steps that claim what has no source that was opened, with the first such claim.

    Raises what `read_evidence` does.
    """
    doubted = [one for one in read_evidence(folder) if one.standing != "sourced"]
    return {one.step: f"{one.claim.text}: {DOUBTED[one.standing]}" for one in reversed(doubted)}


def uncited(folder: Path, claims: Sequence[Claim]) -> bool:
    """Return whether an address or a paper is nowhere in a recording but in its last answer.

    Raises `RecordingError`, and what malformed events raise.
    """
    sources = _Sources(set(claims))
    needles = [one.needle.encode() for one in claims]
    for line in read_lines(folder):
        kind = head_of(folder, line).type
        if kind not in _READ:
            continue
        low = line.text.lower()
        if kind == "tool_call" or any(needle in low for needle in needles):
            event = parse_line(line.text)
            sources.take(kind, event["seq"], event["data"])
    return sources.were_compared and any(sources.standing_of(one) == "no_source" for one in claims)


def _events(folder: Path, types: frozenset[str]) -> Iterator[dict[str, Any]]:
    for line in read_lines(folder):
        if head_of(folder, line).type in types:
            yield parse_line(line.text)


def _claims(folder: Path) -> Iterator[tuple[int, int, Claim]]:
    for event in _events(folder, frozenset({"model_response", "tool_call"})):
        data = event["data"]
        if event["type"] == "model_response":
            text = "" if data["calls"] else data["content"] or ""
        else:
            text = _report_of(data)[1]
        for claim in find_claims(text):
            yield event["seq"], data["step"], claim


def _report_of(call: dict[str, Any]) -> tuple[str, str]:
    """Return the path and the text of a call that writes a report; both empty for other calls."""
    arguments = call.get("parsed")
    if call["name"] not in _WRITES or not isinstance(arguments, dict):
        return "", ""
    path, text = str(arguments.get("path", "")), arguments.get("content")
    if not _REPORT.search(path):
        return "", ""
    edits = arguments.get("edits")
    if isinstance(edits, list):
        text = "\n".join(str(one.get("new", "")) for one in edits if isinstance(one, dict))
    return path, text if isinstance(text, str) else ""


@dataclass(slots=True)
class _Sources:
    """The first event that each claim may come from, collected in the order of the events."""

    claims: set[Claim]
    _opened: dict[Claim, int] = field(default_factory=dict)
    _shown: dict[Claim, int] = field(default_factory=dict)
    """Where a claim is only shown: in a search's results, or an address in another page."""
    _calls: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name and arguments of the calls that have no observation yet."""
    _reports: set[str] = field(default_factory=set)
    """Names of the reports that the model wrote: they are not a source of what is in them."""
    _pending: dict[_Kinds, tuple[int, list[Claim]]] = field(default_factory=dict)
    """By kinds: the claims that were not opened when so many were."""
    _room: int = field(default_factory=lambda: _MOST_COMPARED)
    """Characters that may still be compared."""
    _numbers: _Numbers = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = _Numbers([one for one in self.claims if one.kind == "number"])

    def take(self, kind: str, seq: int, data: dict[str, Any]) -> None:
        """Take an event; a foreign one may hold anything."""
        if kind == "user_message":
            for kinds in (_FILES, _CITED, _NUMBERS):
                self._find(data["text"], seq, self._opened, kinds)
        elif kind == "tool_call":
            self._calls[data["call_id"]] = data["name"], data["arguments"]
            if path := _report_of(data)[0]:
                self._reports.add(path.rpartition("/")[2])
        else:
            self._observation(seq, data)

    def _observation(self, seq: int, data: dict[str, Any]) -> None:
        name, arguments = self._calls.pop(data["call_id"], (data["name"], ""))
        self._find(f"{arguments}\n{data['text']}", seq, self._opened, _FILES)
        if name in _WRITES or self._is_of_report(arguments):
            return
        if not data["error"]:
            self._find(arguments, seq, self._opened, _CITED)
        self._find(data["text"], seq, self._shown, _CITED)
        into = self._shown if name in _SEARCHES else self._opened
        self._find(data["text"], seq, into, _NUMBERS)

    def _find(self, text: str, seq: int, into: dict[Claim, int], kinds: _Kinds) -> None:
        claims = self._open(kinds)
        if not claims:
            return
        text = text[:_LONGEST_SOURCE]
        found: Iterable[Claim] = ()
        if kinds == _NUMBERS:
            found = self._numbers.in_text(text)
        elif self._has_room(len(claims), text):
            low = text.lower()
            found = [one for one in claims if _has(low, one.needle.lower())]
        for claim in found:
            if claim not in self._opened:
                into.setdefault(claim, seq)

    def _is_of_report(self, arguments: str) -> bool:
        has_room = self._has_room(len(self._reports), arguments)
        return not has_room or any(report in arguments for report in self._reports)

    def _has_room(self, names: int, text: str) -> bool:
        """Return whether so many names may be looked for in a text, too."""
        if self._room >= 0:
            self._room -= names * (len(text) + _LEAST_COMPARED)
        return self._room >= 0

    def _open(self, kinds: _Kinds) -> list[Claim]:
        """Return the claims of some kinds that were not opened so far."""
        known, claims = self._pending.get(kinds, (-1, list(self.claims)))
        if known != len(self._opened):
            claims = [one for one in claims if one.kind in kinds and one not in self._opened]
            self._pending[kinds] = len(self._opened), claims
        return claims

    @property
    def were_compared(self) -> bool:
        """Whether all claims were looked for in all that may be their source."""
        return self._room >= 0

    def evidence(self, seq: int, step: int, claim: Claim) -> Evidence:
        """Return where a claim comes from: an event before the one that makes it."""
        opened, shown = self._opened.get(claim, seq), self._shown.get(claim, seq)
        if opened < seq:
            return Evidence(claim, seq, step, "sourced", opened)
        if shown < seq:
            return Evidence(claim, seq, step, "never_opened", shown)
        return Evidence(claim, seq, step, "no_source")

    def standing_of(self, claim: Claim) -> Standing:
        """Return where a claim at the recording's end stands."""
        if claim in self._opened:
            return "sourced"
        return "never_opened" if claim in self._shown else "no_source"


def _has(text: str, needle: str) -> bool:
    """Return whether a text has a name, not as the beginning of a longer one."""
    at = text.find(needle) if needle else -1
    for _ in range(100):
        if at < 0:
            return False
        end = at + len(needle)
        if not _WORD.match(text, end) or text[end : end + 2] in ("/", "/ ", '/"', "/)", "/\n"):
            return True
        at = text.find(needle, end)
    return True


class _Numbers:
    """Finds which of some claims have a number that a text has, rounded or not."""

    def __init__(self, claims: Iterable[Claim]) -> None:
        by_width: dict[int, list[tuple[float, float, Claim]]] = {}
        for claim in claims:
            for low, high in claim.ranges:
                by_width.setdefault(frexp(high - low)[1], []).append((low, high, claim))
        self._groups = [sorted(group, key=itemgetter(0)) for group in by_width.values()]
        self._lows = [[low for low, _, _ in group] for group in self._groups]
        self._widest = [max(high - low for low, high, _ in group) for group in self._groups]

    def in_text(self, text: str) -> set[Claim]:
        """Return the claims whose number a text has."""
        found: set[Claim] = set()
        for value in _values(text) if self._groups else ():
            for group, starts, width in zip(self._groups, self._lows, self._widest, strict=True):
                at = bisect_right(starts, value)
                while at and starts[at - 1] >= value - width:
                    at -= 1
                    if value <= group[at][1]:
                        found.add(group[at][2])
        return found


def _values(text: str) -> Iterator[float]:
    """Yield the numbers in a text, each different spelling once."""
    for token in set(_NUMBER.findall(text)):
        for part in {token.replace(",", ""), *token.split(",")}:
            try:
                yield float(part)
            except ValueError:
                continue
