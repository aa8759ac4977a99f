"""Recordings of sessions: writing them, reading them, and making training samples of them.

The names below are for other programs; `docs/reference/python.md` shows how to use them. Each is
imported when it is first used, because some commands need few of them and must start fast.
"""

__distribution__ = "sii-cli"

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recordings.errors import RecordingError
    from recordings.events import Event
    from recordings.reviews.review import Review
    from recordings.reviews.reviews import excluded_events, read_reviews
    from recordings.samples.build import samples_of
    from recordings.samples.policy import SamplePolicy
    from recordings.samples.sample import LeftOut, Sample
    from recordings.samples.steps import Step, read_steps
    from recordings.storage.log import read_events, recording_hash
    from recordings.store.store import RecordingStore
    from recordings.store.summary import RecordingSummary, summarise

__all__ = [
    "Event",
    "LeftOut",
    "RecordingError",
    "RecordingStore",
    "RecordingSummary",
    "Review",
    "Sample",
    "SamplePolicy",
    "Step",
    "excluded_events",
    "read_events",
    "read_reviews",
    "read_steps",
    "recording_hash",
    "samples_of",
    "summarise",
]

_MODULES = {
    "Event": "events",
    "LeftOut": "samples.sample",
    "RecordingError": "errors",
    "RecordingStore": "store.store",
    "RecordingSummary": "store.summary",
    "Review": "reviews.review",
    "Sample": "samples.sample",
    "SamplePolicy": "samples.policy",
    "Step": "samples.steps",
    "excluded_events": "reviews.reviews",
    "read_events": "storage.log",
    "read_reviews": "reviews.reviews",
    "read_steps": "samples.steps",
    "recording_hash": "storage.log",
    "samples_of": "samples.build",
    "summarise": "store.summary",
}
"""Where each name is defined."""


def __getattr__(name: str) -> Any:
    """Import a name. Raises `AttributeError`."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
