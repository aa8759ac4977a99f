"""A tokenizer and a chat template like GLM-4.7's, small enough to read; no model needed.

Ids need no vocabulary: ASCII pieces are their bytes read as a number, other characters and
control tokens have ranges of their own. So two servers agree, and every id can be read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

CONTROL_TOKENS = (
    "[gMASK]",
    "<sop>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<|endoftext|>",
)
_PIECES = re.compile(
    "|".join(map(re.escape, CONTROL_TOKENS)) + r"| ?[A-Za-z0-9_]{1,3}|[\s\S]",
)
_WIDE = 1 << 31
_CONTROL = _WIDE + 0x110000


def encode(text: str) -> list[int]:
    """Text → ids; control tokens in it become control tokens, as on a real server."""
    return [id_of(piece) for piece in _PIECES.findall(text)]


def decode(ids: Iterable[int]) -> str:
    """Ids → text."""
    return "".join(map(_text_of, ids))


def id_of(piece: str) -> int:
    """The id of one piece: a control token, up to four ASCII characters, or another character."""
    if piece in CONTROL_TOKENS:
        return _CONTROL + CONTROL_TOKENS.index(piece)
    if piece.isascii():
        return int.from_bytes(piece.encode(), "big")
    return _WIDE + ord(piece)


def _text_of(token: int) -> str:
    if token >= _CONTROL:
        return CONTROL_TOKENS[token - _CONTROL]
    if token >= _WIDE:
        return chr(token - _WIDE)
    return token.to_bytes(max(1, (token.bit_length() + 7) // 8), "big").decode()


def render(body: dict[str, Any]) -> str:
    """The prompt of a chat request: as GLM-4.7, but arguments stand there as the string given.

    Reasoning of earlier rounds is dropped, unless `clear_thinking` is false.
    """
    messages = body["messages"]
    kwargs = body.get("chat_template_kwargs") or {}
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    last_user = users[-1] if users else -1
    keeps_all = kwargs.get("clear_thinking") is False
    parts = ["[gMASK]<sop>"]
    if body.get("tools"):
        parts += ["<|system|>", *(f"\n{tool}" for tool in body["tools"])]
    for index, message in enumerate(messages):
        after_tool = index > 0 and messages[index - 1]["role"] == "tool"
        parts += _message(message, keeps_all or index > last_user, after_tool)
    thinks = kwargs.get("enable_thinking") is not False
    parts.append("<|assistant|><think>" if thinks else "<|assistant|></think>")
    return "".join(parts)


def _message(message: dict[str, Any], with_reasoning: bool, after_tool: bool) -> Iterable[str]:
    content = message.get("content") or ""
    match message["role"]:
        case "tool":
            role = "" if after_tool else "<|observation|>"
            yield f"{role}<tool_response>{content}</tool_response>"
        case "assistant":
            reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
            yield "<|assistant|>" + (f"<think>{reasoning}" if with_reasoning else "")
            yield f"</think>{content}"
            for call in message.get("tool_calls") or ():
                yield call_text(call["function"]["name"], call["function"]["arguments"])
        case role:
            yield f"<|{role}|>{content}"


def call_text(name: str, arguments: str) -> str:
    """A tool call as it is generated and rendered."""
    return f"<tool_call>{name}\n{arguments}</tool_call>"
