"""Where a batch continues a session that a reviewer sent back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SentBackStep:
    """The step from which a session was sent back, and what is before it.

    The query with the session's id has the reviewer's words, and what is left of its own query.
    """

    folder: str
    """Of the recording."""
    sha256: str
    """Hash of the recording when it was reviewed."""
    at: int
    """The last event that the continuations share."""
    files_at: int
    """The event after which its files are as they were then."""
    step: int
    """The response that was wrong."""
    by: str
    """Pseudonym of the reviewer."""
