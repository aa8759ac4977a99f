"""Events of changes to what stands in a recording."""

from __future__ import annotations

from typing import ClassVar, Literal

from recordings.events.parts import EventBase


class Edit(EventBase):
    """In a fork: the next event, of origin `annotator`, stands in place of one of the parent's.

    The parent's event itself is not in the fork, so both can be compared: the two are a pair.
    """

    type: ClassVar[str] = "edit"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    replaced: int
    """The parent's event."""
    sha256: str
    """Of its line."""
    parts: list[Literal["message", "reasoning", "content", "calls"]]
    """What is another now."""
    why: str = ""


class Redaction(EventBase):
    """Secrets were taken out of earlier events, and the lines chained anew.

    What stands there now is `‹redacted:NAME›`; token ids that spelled it are -1.
    """

    type: ClassVar[str] = "redaction"
    durable: ClassVar[bool] = True
    by: str
    """Pseudonym."""
    names: list[str]
    """What the secrets are called."""
    seqs: list[int]
    """The events that were changed."""
    old_sha256: str
    """The recording's hash before."""
