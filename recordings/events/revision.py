"""Events of changes to what was recorded before."""

from __future__ import annotations

from typing import ClassVar, Literal

from recordings.events.parts import EventBase


class Edit(EventBase):
    """In a fork: the next event, of origin `annotator`, replaces one of the parent's events.

    The parent keeps its event, so the two can be compared: they are a pair.
    """

    type: ClassVar[str] = "edit"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    replaced: int
    """Number of the parent's event."""
    sha256: str
    """sha256 of that event's line."""
    parts: list[Literal["message", "reasoning", "content", "calls"]]
    """What was changed."""
    why: str = ""


class Redaction(EventBase):
    """Secrets were removed from earlier events, and the lines were chained again.

    `‹redacted:NAME›` replaces each; token ids that spelled it are -1.
    """

    type: ClassVar[str] = "redaction"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    names: list[str]
    """Names of the secrets."""
    seqs: list[int]
    """The events that were changed."""
    old_sha256: str
    """Hash of the recording before."""
