"""What foreign data requires, and whether the user granted it: the one place that decides.

Query files, plans of batches and settings of projects become requirements, each a kind and a
value. Nothing runs before `not_granted` returns an empty list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sii_cli.text.sanitise import one_line

Kind = Literal["net", "git", "image", "env", "data", "paths", "mounts", "settings"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WORDS: dict[Kind, str] = {
    "net": "to reach from the sandbox",
    "git": "to fetch from, over this machine's network",
    "image": "to run as the sandbox",
    "env": "to set in the sandbox",
    "data": "to show in the sandbox, of this home's data sets",
    "paths": "to copy into a sandbox, from outside its folder",
    "mounts": "to show in the sandbox",
    "settings": "to set",
}
MOST = 200
"""Requirements that a person is shown before a question: nobody reads more."""
_LONGEST = 200
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One thing that foreign data needs a grant for. Of a variable only the name: no secrets."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Grants:
    """What the user grants: whole kinds, and single requirements."""

    kinds: frozenset[Kind] = frozenset()
    requirements: frozenset[Requirement] = frozenset()


def not_granted(requirements: Iterable[Requirement], granted: Grants) -> list[Requirement]:
    """Return the requirements that are not granted, in order, each once."""
    left = {one for one in requirements if one.kind not in granted.kinds}
    return sorted(left - granted.requirements)


def lines_of(requirements: Mapping[Requirement, int]) -> Iterator[str]:
    """Yield a line for each kind, then one for each requirement, with how many queries have it."""
    shown = sorted(requirements)[:MOST]
    for kind in KINDS:
        of_kind = [one for one in shown if one.kind == kind]
        if of_kind:
            yield f"  {kind}: {WORDS[kind]}"
        for one in of_kind:
            times = f"  ({requirements[one]} queries)" if requirements[one] > 1 else ""
            yield f"    {one_line(one.value, _LONGEST)}{times}"
    if len(requirements) > len(shown):
        yield f"  and {len(requirements) - len(shown)} more"


def kinds_of(requirements: Iterable[Requirement]) -> list[Kind]:
    """Return the kinds of requirements, each once, in the order in which they are listed."""
    found: Collection[Kind] = {one.kind for one in requirements}
    return [kind for kind in KINDS if kind in found]
