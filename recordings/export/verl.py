"""The `verl` target: parquet with messages; arguments and schemas are JSON strings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from recordings.export.chat import is_trained_whole
from recordings.export.target import ExportTarget, Row, not_expressible
from recordings.samples.sample import LeftOut, Sample

if TYPE_CHECKING:
    import pyarrow


def rows(sample: Sample) -> Iterator[Row | LeftOut]:
    """Yield a sample's row, or why the format cannot hold it."""
    if not is_trained_whole(sample):
        yield not_expressible(sample, "verl trains on every step, and some of these do not count")
        return
    yield {
        "id": sample.id,
        "messages": [_message(turn.message) for turn in sample.turns],
        "tools": json.dumps(sample.tools, ensure_ascii=False),
        "enable_thinking": bool(sample.template_kwargs.get("enable_thinking", True)),
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": message["role"],
        "content": message["content"],
        "reasoning_content": message.get("reasoning_content"),
        "tool_calls": message.get("tool_calls"),
        "tool_call_id": message.get("tool_call_id"),
    }


def schema() -> pyarrow.Schema:
    """Return the table's schema."""
    import pyarrow as pa

    function = pa.struct([("name", pa.string()), ("arguments", pa.string())])
    call = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", function)])
    message = pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.string()),
            ("reasoning_content", pa.string()),
            ("tool_calls", pa.list_(call)),
            ("tool_call_id", pa.string()),
        ]
    )
    return pa.schema(
        [
            ("id", pa.string()),
            ("messages", pa.list_(message)),
            ("tools", pa.string()),
            ("enable_thinking", pa.bool_()),
        ]
    )


TARGET = ExportTarget("verl", "text", rows, schema=schema, is_table=True)
