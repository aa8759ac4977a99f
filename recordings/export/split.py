"""Splitting into train and validation without leakage: related recordings stay together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol


class SplitUnit(Protocol):
    """A recording, or a pair, that is put on one side."""

    @property
    def id(self) -> str:
        """The recording's id."""
        ...

    @property
    def ties(self) -> tuple[str, ...]:
        """What it may share with others: its query, its first message, its family."""
        ...


def validation_ids(sources: Sequence[SplitUnit], share: float) -> set[str]:
    """Return the recordings for validation: about `share` of all.

    Recordings that share a tie, directly or through others, stay together. The choice depends on
    the names only, so it is the same every time.
    """
    groups: dict[str, list[str]] = {}
    for source, root in zip(sources, _roots(sources), strict=True):
        groups.setdefault(root, []).append(source.id)
    chosen: set[str] = set()
    wanted = share * len(sources)
    for _, members in sorted(groups.items(), key=lambda group: _rank(group[0])):
        if len(chosen) + len(members) / 2 <= wanted:
            chosen.update(members)
    return chosen


def _roots(sources: Sequence[SplitUnit]) -> list[str]:
    """Return the name of each recording's group: the smallest of its ties."""
    parents: dict[str, str] = {}

    def root(tie: str) -> str:
        while (parent := parents.setdefault(tie, tie)) != tie:
            parents[tie] = parents[parent]
            tie = parent
        return tie

    for source in sources:
        for tie in source.ties:
            least, other = sorted((root(source.ties[0]), root(tie)))
            parents[other] = least
    return [root(source.ties[0]) for source in sources]


def _rank(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
