"""The chat messages of a sample, for the targets that hold messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from recordings.samples.sample import Sample, SampleTurn

Message = dict[str, Any]


def chat_message(turn: SampleTurn) -> Message:
    """Return a message with its calls' arguments as objects, as chat templates expect them.

    Arguments that are not an object were sent as `{}`, and are `{}` here.
    """
    message = dict(turn.message)
    if "tool_calls" in message:
        message["tool_calls"] = [_with_object(call) for call in message["tool_calls"]]
    return message


def chat_messages(sample: Sample) -> list[Message]:
    """Return a sample's messages, with arguments as objects."""
    return [chat_message(turn) for turn in sample.turns]


def with_think(message: Message) -> str:
    """Return an assistant's content with its reasoning inline, as GLM-4.5 writes it."""
    reasoning = message.get("reasoning_content", "")
    content: str = message["content"]
    return f"<think>{reasoning}</think>\n{content}" if reasoning or content else content


def trained_runs(sample: Sample) -> Iterator[tuple[int, int]]:
    """Yield the runs of messages (first, one past the last) in which every step is trained."""
    start = end = None
    for place, turn in enumerate(sample.turns):
        if turn.step is None:
            continue
        if turn.trained:
            start = place if start is None else start
            end = place + 1
        elif start is not None and end is not None:
            yield start, end
            start = None
    if start is not None and end is not None:
        yield start, end


def is_trained_whole(sample: Sample) -> bool:
    """Return whether every message of the model is trained."""
    return all(turn.trained for turn in sample.turns if turn.step is not None)


def _with_object(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}
