"""The envelope of an event, and streamed text that is shown before it is an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recordings.events.parts import Origin
from recordings.events.union import EventData
from recordings.storage.migrations import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Parent:
    """The event at which a session was forked from its parent, with the hash of its line."""

    session: str
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has, around what it says."""

    session: str
    seq: int
    """0, 1, 2, … without a gap."""
    wall: float
    """Seconds since the epoch."""
    mono: float
    """Seconds of a monotonic clock; comparable within one run of a session only."""
    origin: Origin
    data: EventData
    prev: str = ""
    """sha256 of the previous line, in hex; empty on the first line."""
    parent: Parent | None = None
    version: int = SCHEMA_VERSION

    @property
    def type(self) -> str:
        """Name of the event on disk."""
        return self.data.type


@dataclass(frozen=True, slots=True)
class LiveDelta:
    """A piece of streamed text for the screen; recorded with its neighbours as `ModelDelta`."""

    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """A piece of a running call's output for the screen; recorded as `ToolOutput`."""

    call_id: str
    text: str
