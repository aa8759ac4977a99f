"""The `slime_messages` target: messages that slime renders and masks itself."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.export.chat import chat_message
from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row."""
    messages = []
    for turn in sample.turns:
        message = chat_message(turn)
        if turn.step is not None:
            message["step_loss_mask"] = int(turn.trained)
        messages.append(message)
    yield {
        "messages": messages,
        "tools": sample.tools,
        "metadata": {"id": sample.id, "tools": sample.tools},
    }


TARGET = ExportTarget("slime_messages", "text", rows)
