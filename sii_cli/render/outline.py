"""The entries of an outline in a few words each."""

from __future__ import annotations

from recordings.events import Check, Compaction, Edit, ModelResponse, ToolCall, UserMessage
from recordings.replay.outline import Outline
from recordings.storage.line_index import CALL
from sii_cli.render.calls import call_label
from sii_cli.text.sanitise import one_line

_LONGEST = 80


def entry_label(outline: Outline, number: int) -> str:
    """Return what an entry is in a line, sanitised. Raises `RecordingDamaged`."""
    entry, index = outline[number], outline.index
    label = _said(index.event(entry.about).data)
    first = index.find(CALL, entry.events.start)
    if entry.kind == "step" and first is not None and first in entry.events:
        call = index.event(first).data
        calls = sum(1 for seq in entry.events if index.marks[seq] & CALL)
        if isinstance(call, ToolCall):
            label = call_label(call) + (f" +{calls - 1}" if calls > 1 else "")
    edited = isinstance(index.event(entry.events.start).data, Edit)
    return f"✎ {label}" if edited else label


def _said(data: object) -> str:
    """Return the beginning of what was said in an event."""
    match data:
        case UserMessage(text=text):
            return one_line(text, _LONGEST)
        case ModelResponse(calls=[]):
            return f"answer: {one_line(data.content or '', _LONGEST)}"
        case ModelResponse(calls=[call, *_]):
            return f"{one_line(call.name, 40)} (not run)"
        case Check(error=str()):
            return "check could not run"
        case Check(passed=passed):
            return "check passed" if passed else "check failed"
        case Compaction(kind=kind):
            return "summary of the history" if kind == "summary" else "old observations left out"
        case _:
            return ""
