"""How large a recording is beside what was said in it."""

from __future__ import annotations

from pathlib import Path

from recordings.events import ModelResponse
from recordings.storage.lines import STREAMED
from recordings.storage.log import LOG, read_events

TEXTS = ("text", "reasoning", "content", "system_prompt")


def distinct_bytes(folder: Path) -> int:
    """Bytes of everything that was said, once: texts, calls, and token ids as digits."""
    total = 0
    for event in read_events(folder):
        if event.type in STREAMED:
            continue  # it comes whole in a later event
        data = event.data
        total += sum(len((getattr(data, name, None) or "").encode()) for name in TEXTS)
        if isinstance(data, ModelResponse):
            assert data.prompt_ids is not None
            ids = [*data.prompt_ids.new, *(data.generated_ids or [])]
            total += len(str(ids).replace(" ", ""))
            total += sum(len(call.arguments) for call in data.calls)
    return total


def size_ratio(folder: Path) -> float:
    """The log's size by that of what was said."""
    return (folder / LOG).stat().st_size / distinct_bytes(folder)
