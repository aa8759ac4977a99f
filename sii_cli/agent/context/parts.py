"""What fills the context, by who wrote it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sii_cli.agent.context.tokens import TokenCounter, text_of

_PARTS = {"user": "your messages", "assistant": "the model", "tool": "tool results"}


async def context_parts(
    counter: TokenCounter, tools: bytes | None, messages: Sequence[bytes]
) -> dict[str, int]:
    """Return about how many tokens of a prompt come from the system prompt, the tools, the user's
    messages, the model, the tools' results, and sii's own messages.
    """
    texts: dict[str, list[str]] = {"system prompt": [], "tools": [(tools or b"").decode()]}
    for place, encoded in enumerate(messages):
        role = orjson.loads(encoded)["role"]
        part = _PARTS.get(role, "messages of sii") if place else "system prompt"
        texts.setdefault(part, []).append(text_of(encoded))
    return {part: await counter.count("".join(said)) for part, said in texts.items()}
