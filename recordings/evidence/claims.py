"""Finds the claims in a text: addresses, papers, files and numbers that have a source or lack one.

Years, small whole numbers, numbers of lists, dates, versions and what is in code are not claims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

ClaimKind = Literal["address", "paper", "file", "number"]
MOST_CLAIMS = 200
"""Of one text."""
LONGEST_TEXT = 200_000
"""Characters of a text that are searched."""

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]{}\"'`|\\]{1,1000}")
_END = ".,;:!?*_"
"""What ends a sentence, and no address."""
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s<>()\[\]{}\"'`|\\]{1,300}")
_ARXIV = re.compile(
    r"arxiv\.org/(?:abs|pdf|html)/(\d{4}\.\d{4,5})|\barxiv:\s?(\d{4}\.\d{4,5})", re.I
)
_ENDINGS = (
    "py|pyi|md|rst|txt|csv|tsv|json|jsonl|html|css|js|ts|tsx|jsx|toml|ya?ml|ini|cfg|sh|c|h|cpp|rs|go|"
    "java|rb|tex|bib|pdf|png|jpe?g|svg|xlsx|docx|parquet|sqlite|db|ipynb|log|xml|sql|lock"
)
_FILE = re.compile(
    rf"(?<![\w/.:@~-])(?:[\w.-]{{1,100}}/){{1,20}}[\w.-]{{1,100}}\.(?:{_ENDINGS})\b(?!/)"
    rf"|(?<=`)[\w.-]{{1,100}}\.(?:{_ENDINGS})(?=`)"
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,300}`", re.S)
_DATE = re.compile(
    r"\b\d{4}-\d{1,2}(?:-\d{1,2})?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}:\d{2}(?::\d{2})?\b"
)
_NUMBER = re.compile(
    r"(?<![\w.,/:#@^\\-])(\d{1,3}(?:,\d{3}){1,6}|\d{1,18})(\.\d{1,12})?"
    r"(?: ?(%|‰|percent\b|thousand\b|million\b|billion\b)|([kKMB])\b)?(?![\w-]|[.,/:]\d)"
)
_NAMED = re.compile(
    r"(?:version|release|python|node|cuda|ubuntu|debian|section|sec\.|figure|fig\.|table|chapter|"
    r"appendix|equation|eq\.|step|level|issue|phase|rule|item|line|lines|page|pages|p\.|port|http|"
    r"status|code|error|license|tls|java|rust|go|php|ruby|gcc|seed|id|no\.|number|week|day|round)"
    r"[ :=]{1,3}\Z",
    re.I,
)
"""What stands before a number that names something."""
_SCALES = {"thousand": 1e3, "k": 1e3, "K": 1e3, "million": 1e6, "M": 1e6, "billion": 1e9, "B": 1e9}
_PERCENT = {"%", "percent"}
_SMALL = 100
_YEARS = range(1500, 2101)


@dataclass(frozen=True, slots=True)
class Claim:
    """Something in a text that has a source, or should."""

    kind: ClaimKind
    text: str
    """As it is written."""
    needle: str = ""
    """What a source has of an address, a paper or a file."""
    ranges: tuple[tuple[float, float], ...] = ()
    """Between which a source's number is, rounded as this one is, also as a share of one
    or in cents."""


def find_claims(text: str) -> list[Claim]:
    """Return the claims in a text, each once, in the order of their kinds."""
    found: list[Claim] = []
    rest = _take_cited(text[:LONGEST_TEXT], found)
    rest = _take(_FILE, rest, found, "file")
    rest = _DATE.sub(_blank, _CODE.sub(_blank, rest))
    different = dict.fromkeys(found)
    for match in _NUMBER.finditer(rest):
        if len(different) >= MOST_CLAIMS:
            break
        if number := _number(rest, match):
            different[number] = None
    return list(different)[:MOST_CLAIMS]


def find_cited(text: str) -> list[Claim]:
    """Return the addresses and papers in a text, each once."""
    found: list[Claim] = []
    if "://" in text or "10." in text or "rxiv" in text.lower():
        _take_cited(text[:LONGEST_TEXT], found)
    return list(dict.fromkeys(found))[:MOST_CLAIMS]


def _take_cited(text: str, found: list[Claim]) -> str:
    rest = _take(_ADDRESS, text, found, "address")
    rest = _take(_ARXIV, rest, found, "paper")
    return _take(_DOI, rest, found, "paper")


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _take(pattern: re.Pattern[str], text: str, found: list[Claim], kind: ClaimKind) -> str:
    """Add what a pattern finds, and return the text without it."""

    def taken(match: re.Match[str]) -> str:
        found.append(_named(kind, match[0].rstrip(_END)))
        return _blank(match)

    return pattern.sub(taken, text)


def _named(kind: ClaimKind, text: str) -> Claim:
    if kind == "file":
        return Claim(kind, text, text.rpartition("/")[2])
    if match := _ARXIV.search(text):
        return Claim("paper", text, match[1] or match[2])
    if match := _DOI.search(text):
        return Claim("paper", text, match[0].rstrip(_END).lower())
    return Claim(kind, text, needle_of(text))


def needle_of(address: str) -> str:
    """Return what is the same for the same page: without scheme, fragment and final slash."""
    return address.partition("://")[2].partition("#")[0].removeprefix("www.").rstrip("/").lower()


def _number(text: str, match: re.Match[str]) -> Claim | None:
    whole, decimals = match[1], match[2] or ""
    unit = match[3] or match[4] or ""
    value = float(whole.replace(",", "") + decimals)
    is_plain = not (decimals or unit or "," in whole)
    if is_plain and (value < _SMALL or (value in _YEARS and len(whole) == 4)):
        return None
    if not unit and _NAMED.search(text, max(0, match.start() - 20), match.start()):
        return None
    half = 0.5 * 10.0 ** -max(0, len(decimals) - 1) * (1 + 1e-9)
    scale = _SCALES.get(unit, 1.0)
    ranges = [((value - half) * scale, (value + half) * scale)]
    if scale != 1.0:
        ranges.append((value - half, value + half))
    if len(decimals) == len(".00") and not unit:  # money, counted in cents
        ranges.append((round(value * 100) - 0.5, round(value * 100) + 0.5))
    if unit in _PERCENT:
        ranges.append(((value - half) / 100, (value + half) / 100))
    return Claim("number", match[0].strip(), ranges=tuple(ranges))
