"""Finding secrets in text: known values first, then names and patterns, then entropy."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

Depth = Literal["known", "patterns", "names", "entropy"]
"""What is searched for; each includes those before it: known values; keys and tokens by their form;
values by the name before them, as in `DB_PASSWORD=…`; text that looks random. The first two are
hardly ever wrong, the third sometimes, the last often."""

MASK = "‹redacted:"
"""How the text begins that replaces a secret."""

SHORTEST = 8
"""Characters of the shortest known value that is searched for: shorter ones are words."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:key|apikey|token|secret|password|passwd|pwd|credentials?|auth)(?:$|_)",
    re.IGNORECASE,
)
_PUBLIC_NAMES = frozenset({"SSH_AUTH_SOCK", "XAUTHORITY", "GPG_KEY", "SSH_ASKPASS"})

# Name, a text in every such secret (checked first, because it is fast), and the form.
# Each takes time linear in the text: places where a form may begin are rare, or what is read from
# one is not read again from the next.
PATTERNS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (name, part, re.compile(pattern, re.DOTALL))
    for name, part, pattern in (
        (
            "PRIVATE_KEY",
            "PRIVATE KEY-----",
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
            r"(?:[^-]|-(?!----(?:BEGIN|END) )){40,8000}+-----END [A-Z ]{0,40}KEY-----",
        ),
        ("AWS_KEY_ID", "AKIA", r"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])"),
        ("GITHUB_TOKEN", "gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
        ("GITHUB_TOKEN", "github_pat_", r"github_pat_[A-Za-z0-9_]{50,}"),
        ("GITLAB_TOKEN", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
        ("HF_TOKEN", "hf_", r"hf_[A-Za-z0-9]{30,}"),
        (
            "API_KEY",
            "sk-",
            r"sk-(?<![A-Za-z0-9_-]sk-)(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,200}",
        ),
        ("GOOGLE_KEY", "AIza", r"AIza[0-9A-Za-z_-]{35}"),
        ("SLACK_TOKEN", "xox", r"xox[abprs]-[A-Za-z0-9-]{10,}"),
        (
            "JWT",
            ".eyJ",
            # The whole is searched for where a run of its characters begins, its start within it.
            r"(?<![A-Za-z0-9_-])"
            r"(?=[A-Za-z0-9_-]++\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10})[A-Za-z0-9_-]*?"
            r"(?P<secret>eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+)",
        ),
        (
            "BEARER",
            "earer ",
            r"earer (?P<secret>(?=[A-Za-z_\-.=+/]{0,60}[0-9])[A-Za-z0-9_\-.=+/]{20,})",
        ),
    )
)
_KEY_END = re.compile("-----END [A-Z ]{0,40}KEY-----")
_LONGEST_KEY = 8200
"""Characters of the longest private key that is found."""
_URL_PASSWORD = re.compile(r"://[^\s/:@\"']{1,64}:(?P<secret>[^\s/@\"']{6,128})(?=@)")
_VALUE = re.compile(r"""[:=]\s{0,3}['"]?(?P<secret>[^\s'"\\,;(){}\[\]<>$]{12,200})""")
_NAME_BEFORE = re.compile(
    r"""(?<![A-Za-z0-9_-])(?P<name>[A-Za-z0-9_-]{0,40}(?:key|token|secret|password|passwd))"""
    r"""['"]?\s{0,3}\Z""",
    re.IGNORECASE,
)
_NAME_ENDS = ("key", "token", "secret", "password", "passwd")
_LONGEST_NAME = 54
"""Characters before a value that are read: its name, a quote, some spaces."""
_DENSE = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{32,128}={0,2}(?![A-Za-z0-9+/_=-])")
_DENSE_BITS = 4.4
"""Bits a character; a sha256 in hex has at most 4, words and paths about 4."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text."""

    name: str
    how: Literal["known", "pattern", "entropy"]
    start: int
    end: int


def known_secrets(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables or settings whose names say that they are secret."""
    return {
        name: value
        for source in sources
        for name, value in source.items()
        if _SECRET_NAME.search(name)
        and name not in _PUBLIC_NAMES
        and len(value) >= SHORTEST
        and not value.startswith(("/", "."))
    }


class SecretFinder:
    """Finds secrets; `known` maps names to values."""

    def __init__(self, known: Mapping[str, str] = {}, depth: Depth = "names") -> None:
        self._depth = get_args(Depth).index(depth)
        self._names = {
            form: name
            for name, value in known.items()
            if len(value) >= SHORTEST
            for form in _forms(value)
        }
        self._parts = (*self._names, *(part for _, part, _ in PATTERNS if self._depth >= 1))
        """Every text with a secret has one of these, unless it is found by name or entropy."""
        longest_first = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(form) for form in longest_first) or r"(?!)")

    def find(self, text: str) -> list[Secret]:
        """Return the secrets of a text in order; of overlapping ones the most certain."""
        found: list[Secret] = []
        if self._depth < 2 and not self._may_hold(text):
            return found
        taken = bytearray()
        """Which characters belong to secrets that were found."""
        for secret in self._all(text):
            taken = taken or bytearray(len(text))
            if taken.find(1, secret.start, secret.end) < 0:
                found.append(secret)
                taken[secret.start : secret.end] = b"\1" * (secret.end - secret.start)
        return sorted(found, key=lambda secret: secret.start)

    def _may_hold(self, text: str) -> bool:
        """A fast check, because nearly all texts have none; a loop is faster here than `any`."""
        for part in self._parts:  # noqa: SIM110
            if part in text:
                return True
        return False

    def _all(self, text: str) -> Iterator[Secret]:
        if self._names:
            for match in self._known.finditer(text):
                yield Secret(self._names[match[0]], "known", *match.span())
        if self._depth >= 1:
            yield from _by_form(text)
        if self._depth >= 2:
            yield from _by_name(text)
        if self._depth >= 3:
            for match in _DENSE.finditer(text):
                if _bits(match[0]) >= _DENSE_BITS:
                    yield Secret("HIGH_ENTROPY", "entropy", *match.span())


def _by_form(text: str) -> Iterator[Secret]:
    for name, part, pattern in PATTERNS:
        if part not in text:
            continue
        for match in pattern.finditer(text):
            group = "secret" if "secret" in pattern.groupindex else 0
            yield Secret(name, "pattern", *match.span(group))


def _by_name(text: str) -> Iterator[Secret]:
    for match in _URL_PASSWORD.finditer(text):
        yield Secret("URL_PASSWORD", "pattern", *match.span("secret"))
    for match in _VALUE.finditer(text):
        before = text[max(0, match.start() - _LONGEST_NAME) : match.start()]
        if not before.rstrip(" \t\r\n'\"").lower().endswith(_NAME_ENDS):
            continue
        named = _NAME_BEFORE.search(before)
        if named and _looks_made_up(match["secret"]):
            name = named["name"].upper().replace("-", "_")
            yield Secret(name, "pattern", *match.span("secret"))


def is_of_token(character: str) -> bool:
    """Return whether a character may be in a key or a token."""
    return character.isascii() and (character.isalnum() or character in "_-+/=.")


def begins_secret(text: str) -> bool:
    """Return whether a secret with spaces may begin at the end of a text."""
    if text.endswith(("earer", "earer ")):
        return True
    began = text.rfind("-----BEGIN", max(0, len(text) - _LONGEST_KEY))
    return began >= 0 and not _KEY_END.search(text, began)


def mask(text: str, secrets: Iterable[Secret]) -> str:
    """Replace secrets, which are in order and do not overlap, by `‹redacted:NAME›`."""
    parts, last = [], 0
    for secret in secrets:
        parts += [text[last : secret.start], f"{MASK}{secret.name}›"]
        last = secret.end
    return "".join(parts) + text[last:]


def _forms(value: str) -> set[str]:
    """Return a value as it is written in text, in JSON and in a URL."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        quote(value, safe=""),
    }


def _looks_made_up(value: str) -> bool:
    """Return whether a value looks random, unlike a name, a call or a placeholder."""
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return kinds >= 2 and "‹" not in value and _bits(value) >= 3.0


def _bits(text: str) -> float:
    """Return the Shannon entropy in bits a character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())
