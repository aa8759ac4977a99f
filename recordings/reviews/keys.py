"""Whose reviews count in a home: its own, and those of people whose public keys it has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from recordings.trust.home_key import HomeKey
from recordings.trust.people import People


@dataclass(frozen=True, slots=True)
class ReviewKeys:
    """The keys that reviews are checked with."""

    home: HomeKey
    people: People = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells these keys from others: another name, and other reviews may count."""
        if not self.people:
            return self.home.name
        people = hashlib.sha256(repr(sorted(self.people.items())).encode("utf-8", "replace"))
        return f"{self.home.name} {people.hexdigest()}"
