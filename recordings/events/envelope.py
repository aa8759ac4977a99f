"""The envelope of an event, and what is on its way to a screen before it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recordings.events.parts import Origin
from recordings.events.union import EventData
from recordings.storage.migrations import SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a forked session came from: the parent's event and the hash of its line."""

    session: str
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Event:
    """The envelope."""

    session: str
    seq: int
    """0, 1, 2, … without a gap."""
    wall: float
    """Seconds since the epoch."""
    mono: float
    """Seconds of a clock that never jumps; comparable within one run of a session only."""
    origin: Origin
    data: EventData
    prev: str = ""
    """sha256 of the line before this one, hex; empty on the first line."""
    parent: Parent | None = None
    version: int = SCHEMA_VERSION

    @property
    def type(self) -> str:
        """Name of the event on disk."""
        return self.data.type


@dataclass(frozen=True, slots=True)
class LiveDelta:
    """A piece of streamed text on its way to a screen; recorded coalesced, as `ModelDelta`."""

    step: int
    kind: Literal["reasoning", "content", "call_name", "call_arguments"]
    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class LiveOutput:
    """A piece of a running call's output on its way to a screen; recorded as `ToolOutput`."""

    call_id: str
    text: str
