"""The `swift` target: ms-swift's agent messages, each of the model's with a `loss`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from recordings.export.chat import chat_messages, with_think
from recordings.export.target import ExportTarget, Row
from recordings.samples.sample import LeftOut, Sample


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row."""
    messages: list[dict[str, Any]] = []
    for turn, message in zip(sample.turns, chat_messages(sample), strict=True):
        match message["role"]:
            case "assistant":
                said = {"role": "assistant", "content": with_think(message)}
                calls = [_call(call["function"]) for call in message.get("tool_calls", ())]
                messages += [{**one, "loss": turn.trained} for one in (said, *calls)]
            case "tool":
                messages.append({"role": "tool_response", "content": message["content"]})
            case role:
                messages.append({"role": role, "content": message["content"]})
    yield {"messages": messages, "tools": json.dumps(sample.tools, ensure_ascii=False)}


def _call(function: dict[str, Any]) -> dict[str, Any]:
    call = {"name": function["name"], "arguments": function["arguments"]}
    return {"role": "tool_call", "content": json.dumps(call, ensure_ascii=False)}


TARGET = ExportTarget("swift", "text", rows)
