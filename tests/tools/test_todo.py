"""The todo list: the whole of it each time."""

from __future__ import annotations

from tools.base import ToolResult
from tools.todo import Todo, TodoParams


async def run(*todos: tuple[str, str]) -> ToolResult:
    items = [{"content": content, "status": status} for content, status in todos]
    return await Todo().run(TodoParams.model_validate({"todos": items}), lambda output: None)


async def test_the_list_is_shown_with_how_far_it_is() -> None:
    result = await run(("Find", "done"), ("Mend", "in_progress"), ("Test", "pending"))
    assert result.text == "[x] Find\n[>] Mend\n[ ] Test\n1 of 3 done"
    assert result.details["todos"][1] == {"content": "Mend", "status": "in_progress"}


async def test_an_item_cannot_move_the_readers_cursor() -> None:
    assert (await run(("\x1b[2Jgone", "pending"))).text == "[ ] \\x1b[2Jgone\n0 of 1 done"


async def test_an_empty_list_clears_it() -> None:
    result = await run()
    assert result.text == "The list is empty."
    assert result.details == {"todos": []}
