"""The `openai` target: messages with weights; the format has no place for reasoning."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row."""
    messages = []
    for turn in sample.turns:
        message = {key: turn.message[key] for key in turn.message if key != "reasoning_content"}
        if turn.step is not None:
            message["weight"] = int(turn.trained)
        messages.append(message)
    yield {"messages": messages, **({"tools": sample.tools} if sample.tools else {})}


TARGET = ExportTarget("openai", "text", rows)
