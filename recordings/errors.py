"""What can go wrong with a recording: a small named family, each message one clear sentence."""

from __future__ import annotations


class RecordingError(Exception):
    """Base of what this package raises. The message is one sentence with the remedy."""


class RecordingFailed(RecordingError):
    """An event or a blob could not be kept; nothing half-written is left behind."""


class RecordingInUse(RecordingError):
    """Another process writes to the recording."""


class RecordingNotFound(RecordingError):
    """No recording, or more than one, answers to the name."""


class RecordingDamaged(RecordingError):
    """A recording is not what was written."""


class LineChanged(RecordingDamaged):
    """Raised when a line of a recording, or the chain before it, is not what was written."""

    def __init__(self, recording: str, number: int) -> None:
        super().__init__(
            f"Line {number} of the recording {recording} was changed after it was written: "
            "`sii verify` says more."
        )
        self.number = number


class RecordingTooNew(RecordingError):
    """The recording was made by a newer version than this one."""


UNPARSABLE = (ValueError, RecursionError)
"""What parsers of JSON, YAML and TOML raise: also for numbers of thousands of digits and for
thousands of brackets in one another.
"""

MALFORMED = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(RecursionError, MemoryError),
)
"""What comes of reading a line whose values are of other kinds than ours, or beyond all measure."""

UNREADABLE = (RecordingError, OSError, *MALFORMED)
"""What comes of reading a recording that somebody else wrote."""


def why_unparsable(error: Exception) -> str:
    """Say in a few words why a parser gave up."""
    if isinstance(error, RecursionError):
        return "brackets in one another, too many to read"
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
