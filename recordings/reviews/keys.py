"""The keys that decide which reviews count: the home's, and the public keys of people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from recordings.trust.home_key import HomeKey
from recordings.trust.people import People


@dataclass(frozen=True, slots=True)
class ReviewKeys:
    """The keys with which reviews are checked."""

    home: HomeKey
    people: People = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A name for these keys; with other keys it differs, and other reviews may count."""
        if not self.people:
            return self.home.name
        people = hashlib.sha256(repr(sorted(self.people.items())).encode("utf-8", "replace"))
        return f"{self.home.name} {people.hexdigest()}"
