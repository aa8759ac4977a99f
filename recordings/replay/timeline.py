"""The timeline of a recording: what a screen showed, with the waits between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recordings.events import Event, LiveDelta, LiveOutput, ModelDelta, SessionResume, ToolOutput


def timeline(
    events: Iterable[Event],
) -> Iterator[tuple[float, Event | LiveDelta | LiveOutput]]:
    """Yield (seconds to wait, what a screen shows then).

    Streamed text comes in pieces of about 100 ms. The pause before a resume or a fork is left out.
    """
    last: float | None = None
    for event in events:
        if last is None or event.parent is not None or isinstance(event.data, SessionResume):
            last = event.mono
        for mono, item in shown(event):
            yield max(0.0, mono - last), item
            last = mono


def shown(event: Event) -> Iterator[tuple[float, Event | LiveDelta | LiveOutput]]:
    """Yield (time, what a screen showed) of an event: streamed text in its pieces."""
    match event.data:
        case ModelDelta(step=step, kind=kind, index=index) as delta:
            for mono, text in _pieces(event.mono, delta):
                yield mono, LiveDelta(step, kind, text, index)
        case ToolOutput(call_id=call_id) as output:
            for mono, text in _pieces(event.mono, output):
                yield mono, LiveOutput(call_id, text)
        case _:
            yield event.mono, event


def _pieces(mono: float, streamed: ModelDelta | ToolOutput) -> Iterator[tuple[float, str]]:
    text = streamed.text
    if not streamed.pieces:
        yield mono, text
    start = 0
    for after, chars in streamed.pieces:
        yield mono + after / 1000, text[start : start + chars]
        start += chars
