"""The `atif` target: one document a sample, in the Agent Trajectory Interchange Format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recordings.export.chat import chat_message
from recordings.export.target import ExportTarget, Row, not_expressible
from recordings.samples.sample import LeftOut, Sample, SampleTurn

VERSION = "ATIF-v1.7"
_SOURCES = {"system": "system", "user": "user", "assistant": "agent"}


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's document, or why the format cannot hold it."""
    steps: list[dict[str, Any]] = []
    for turn in sample.turns:
        if turn.message["role"] != "tool":
            steps.append(_step(sample, turn, len(steps) + 1))
        elif steps and steps[-1]["source"] == "agent":
            results = steps[-1].setdefault("observation", {"results": []})["results"]
            called = turn.message["tool_call_id"]
            results.append({"source_call_id": called, "content": turn.message["content"]})
        else:
            yield not_expressible(sample, "a result does not follow the step that asked for it")
            return
    yield {
        "schema_version": VERSION,
        "session_id": sample.recording,
        "trajectory_id": sample.id,
        "agent": {
            "name": "sii",
            "version": sample.start.sii_version,
            "model_name": sample.model,
            "tool_definitions": sample.tools,
        },
        "steps": steps,
        "extra": {"query": sample.start.query, "speaker": sample.start.speaker},
    }


def _step(sample: Sample, turn: SampleTurn, number: int) -> dict[str, Any]:
    message = chat_message(turn)
    step: dict[str, Any] = {
        "step_id": number,
        "source": _SOURCES[message["role"]],
        "message": message["content"],
        "extra": {"event": turn.seq},
    }
    if turn.step is None:
        return step
    if message.get("reasoning_content"):
        step["reasoning_content"] = message["reasoning_content"]
    if "tool_calls" in message:
        step["tool_calls"] = [
            {
                "tool_call_id": call["id"],
                "function_name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
            }
            for call in message["tool_calls"]
        ]
    if turn.trained:
        step["metrics"] = _metrics(sample, turn)
    else:
        step["is_copied_context"] = True
    return step


def _metrics(sample: Sample, turn: SampleTurn) -> dict[str, Any] | None:
    for span in sample.spans:
        if span.seq == turn.seq and span.kind == "generated":
            return {
                "prompt_tokens": span.start,
                "completion_tokens": span.end - span.start,
                "completion_token_ids": sample.ids[span.start : span.end],
            }
    return None


TARGET = ExportTarget("atif", "text", rows)
