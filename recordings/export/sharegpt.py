"""The `sharegpt` target: conversations as LLaMA-Factory takes them, in strict alternation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from recordings.export.chat import Message, chat_messages, is_trained_whole, with_think
from recordings.export.target import ExportTarget, Row, not_expressible
from recordings.samples.sample import LeftOut, Sample

_BETWEEN_RESPONSES = "\n</tool_response>\n<tool_response>\n"
"""What LLaMA-Factory's own converter puts between several observations of one step."""


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row, or why the format cannot hold it."""
    messages = chat_messages(sample)
    system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
    problem = _problem(sample, messages)
    if problem is not None:
        yield not_expressible(sample, problem)
        return
    yield {
        "conversations": list(_conversation(messages)),
        "system": system,
        "tools": json.dumps([tool.get("function", tool) for tool in sample.tools]),
    }


def _problem(sample: Sample, messages: list[Message]) -> str | None:
    if not is_trained_whole(sample):
        return "sharegpt trains on every step, and some of these do not count"
    if any(one["role"] == "system" for one in messages):
        return "sharegpt has no place for a system message after the first"
    if any(one.get("tool_calls") and one["content"].strip() for one in messages):
        return "sharegpt has no place for text beside a call"
    if any(_is_odd(one) == _is_odd(before) for before, one in _steps(messages)):
        return "sharegpt takes strict alternation only"
    return None


def _steps(messages: list[Message]) -> Iterator[tuple[Message, Message]]:
    """Yield neighbouring messages, with the observations of one step as one message."""
    whole = [
        one
        for place, one in enumerate(messages)
        if one["role"] != "tool" or messages[place - 1]["role"] != "tool"
    ]
    yield from pairwise(whole)


def _is_odd(message: Message) -> bool:
    return message["role"] in ("user", "tool")


def _conversation(messages: list[Message]) -> Iterator[dict[str, Any]]:
    responses: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            responses.append(message["content"])
            continue
        if responses:
            yield {"from": "observation", "value": _BETWEEN_RESPONSES.join(responses)}
            responses = []
        yield _said(message)


def _said(message: Message) -> dict[str, str]:
    if message["role"] == "user":
        return {"from": "human", "value": message["content"]}
    if not message.get("tool_calls"):
        return {"from": "gpt", "value": with_think(message)}
    calls = [
        {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        for call in message["tool_calls"]
    ]
    value = json.dumps(calls, ensure_ascii=False)
    reasoning = message.get("reasoning_content")
    return {
        "from": "function_call",
        "value": f"<think>{reasoning}</think>\n{value}" if reasoning else value,
    }


TARGET = ExportTarget("sharegpt", "text", rows)
