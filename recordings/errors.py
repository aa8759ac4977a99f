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


class RecordingTooNew(RecordingError):
    """The recording was made by a newer version than this one."""
