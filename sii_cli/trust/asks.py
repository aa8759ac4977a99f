"""What data of others asks for, and whether the user has allowed it: the one place that decides.

Query files, plans of batches and settings of projects are turned into asks, each a kind and a
value. `refused` says which of them nothing allows; nothing runs before it returns none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sii_cli.text.sanitise import one_line

Kind = Literal["net", "git", "image", "env", "paths", "mounts", "settings"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WORDS: dict[Kind, str] = {
    "net": "to reach from the sandbox",
    "git": "to fetch from, over this machine's network",
    "image": "to run as the sandbox",
    "env": "to set in the sandbox",
    "paths": "to copy into a sandbox, from outside its folder",
    "mounts": "to show in the sandbox",
    "settings": "to set",
}
MOST = 200
"""Asks that a person is shown before a question: nobody reads more."""
_LONGEST = 200
"""Characters of a value that is shown."""


@dataclass(frozen=True, slots=True, order=True)
class Ask:
    """One thing that others' data asks for. Never holds a secret: of a variable only the name."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the user allows: whole kinds, and single asks."""

    kinds: frozenset[Kind] = frozenset()
    asks: frozenset[Ask] = frozenset()


def refused(asks: Iterable[Ask], allowed: Allowed) -> list[Ask]:
    """Return the asks that nothing allows, in order, each once."""
    return sorted({one for one in asks if one.kind not in allowed.kinds} - allowed.asks)


def in_words(asks: Mapping[Ask, int]) -> Iterator[str]:
    """Yield a line for each kind, then one for each thing asked for with how often it stands."""
    shown = sorted(asks)[:MOST]
    for kind in KINDS:
        of_kind = [one for one in shown if one.kind == kind]
        if of_kind:
            yield f"  {kind}: {WORDS[kind]}"
        for one in of_kind:
            times = f"  ({asks[one]} queries)" if asks[one] > 1 else ""
            yield f"    {one_line(one.value, _LONGEST)}{times}"
    if len(asks) > len(shown):
        yield f"  and {len(asks) - len(shown)} more"


def kinds_of(asks: Iterable[Ask]) -> list[Kind]:
    """Return the kinds of some asks, each once, in the order in which they are listed."""
    found: Collection[Kind] = {one.kind for one in asks}
    return [kind for kind in KINDS if kind in found]
