"""The data of events of one kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from recordings.events import Event, EventData

Kind = TypeVar("Kind", bound=EventData)


def data_of(events: Iterable[Event], kind: type[Kind]) -> list[Kind]:
    return [event.data for event in events if isinstance(event.data, kind)]
