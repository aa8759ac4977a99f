"""The `messages` target: conversational prompt and completion, as TRL takes them."""

from __future__ import annotations

from collections.abc import Iterator

from recordings.export.chat import chat_messages, trained_runs
from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a row for every run of steps that are all trained."""
    messages = chat_messages(sample)
    for start, end in trained_runs(sample):
        yield {
            "prompt": messages[:start],
            "completion": messages[start:end],
            "tools": sample.tools,
            "chat_template_kwargs": sample.template_kwargs,
        }


TARGET = ExportTarget("messages", "text", rows)
