"""The `todo` tool: the model's own list of what there is to do, for it and for the screen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools.base import Emit, Params, Tool, ToolResult
from tools.text import displayed

_MARKS = {"pending": "[ ]", "in_progress": "[>]", "done": "[x]"}


class TodoItem(Params):
    """One thing to do."""

    content: str = Field(description="What is to be done, in one line.", min_length=1)
    status: Literal["pending", "in_progress", "done"] = Field(description="How far it is.")


class TodoParams(Params):
    """The whole list."""

    todos: list[TodoItem] = Field(description="All items, in order; empty to clear the list.")


class Todo(Tool[TodoParams]):
    """Shows a list; keeps nothing, since every call gives the whole list."""

    name = "todo"
    params = TodoParams

    async def run(self, params: TodoParams, emit: Emit) -> ToolResult:
        """Return the list as it now is."""
        if not params.todos:
            return ToolResult("The list is empty.", details={"todos": []})
        lines = [f"{_MARKS[item.status]} {displayed(item.content)}" for item in params.todos]
        done = sum(item.status == "done" for item in params.todos)
        lines.append(f"{done} of {len(params.todos)} done")
        details = {"todos": [item.model_dump() for item in params.todos]}
        return ToolResult("\n".join(lines), details=details)
