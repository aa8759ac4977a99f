"""What a model's template does with the switch of thinking, as its server renders it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

Effect = Literal["nothing", "opening", "history", "unknown"]
"""What is written differently: nothing, the beginning of the response alone, earlier messages too,
or what the server does not say."""

_ROUNDS = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "U"},
]


async def thinking_effect(
    render: Callable[[dict[str, Any]], Awaitable[list[int] | None]],
    model: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> Effect:
    """Compare what the template writes with two sets of its arguments."""
    if before == after:
        return "nothing"
    bodies = [
        {
            "model": model,
            "messages": _ROUNDS,
            "add_generation_prompt": opens,
            "chat_template_kwargs": arguments,
        }
        for opens in (False, True)
        for arguments in (before, after)
    ]
    rendered = [await render(body) for body in bodies]
    if None in rendered:
        return "unknown"
    history_before, history_after, whole_before, whole_after = rendered
    if history_before != history_after:
        return "history"
    return "opening" if whole_before != whole_after else "nothing"
