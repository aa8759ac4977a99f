"""The errors of this package: one root, and each message one sentence with the remedy."""

from __future__ import annotations


class RecordingError(Exception):
    """The root of all errors of this package. The message is one sentence with the remedy."""


class RecordingFailed(RecordingError):
    """Raised when an event or a blob cannot be written; nothing half-written is left."""


class RecordingFull(RecordingFailed):
    """Raised when an event or a recording is larger than what can be recorded."""


class RecordingInUse(RecordingError):
    """Raised when another process is writing to the recording."""


class RecordingNotFound(RecordingError):
    """Raised when no recording, or more than one, has the name."""


class RecordingDamaged(RecordingError):
    """Raised when a recording is not what was written."""


class LineChanged(RecordingDamaged):
    """Raised when a line of a recording, or the chain before it, is not what was written."""

    def __init__(self, recording: str, number: int) -> None:
        super().__init__(
            f"Line {number} of the recording {recording} was changed after it was written: "
            "`sii verify` says more."
        )
        self.number = number


class RecordingTooNew(RecordingError):
    """Raised when a recording was written by a newer version."""


UNPARSABLE = (ValueError, RecursionError)
"""What parsers of JSON, YAML and TOML raise, also for numbers with thousands of digits and for
thousands of nested brackets.
"""

MALFORMED = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(RecursionError, MemoryError),
)
"""What reading a line raises when its values have other types than expected, or are too large."""

UNREADABLE = (RecordingError, OSError, *MALFORMED)
"""What reading a foreign recording raises."""


def why_unparsable(error: Exception) -> str:
    """Say in a few words why a parser failed."""
    if isinstance(error, RecursionError):
        return "too many nested brackets"
    text = str(error)
    return "a number of too many digits" if text.startswith("Exceeds the limit") else text


def describe_malformed(error: Exception) -> str:
    """Say in a few words what is wrong with a malformed line."""
    details = getattr(error, "errors", None)  # pydantic's are many lines; it is slow to import
    if details is None:
        return str(error) if isinstance(error, RecordingError) else repr(error)
    first = details(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def why_damaged(error: Exception) -> str:
    """Say why a recording cannot be read."""
    if isinstance(error, MemoryError | RecursionError):
        return "A line is too large or too deep to be read."
    if isinstance(error, RecordingError | OSError):
        return str(error)
    return f"A line is not an event ({describe_malformed(error)})."
