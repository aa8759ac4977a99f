"""Asks a server for every turn that the tiny GLM was trained on, and says which came out other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.tiny_glm.server import TinyGlmServer

TIMEOUT = 60.0
MAX_TOKENS = 500
"""Ends a turn that went astray."""


@dataclass
class Turn:
    """What the model said, put together from a stream."""

    reasoning: str = ""
    content: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    """By index: name and arguments as JSON."""

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take in one delta of a stream."""
        self.reasoning += delta.get("reasoning") or ""
        self.content += delta.get("content") or ""
        for piece in delta.get("tool_calls") or []:
            call = self.calls.setdefault(piece["index"], ["", ""])
            call[0] += piece["function"].get("name") or ""
            call[1] += piece["function"].get("arguments") or ""

    def said(self) -> dict[str, Any]:
        """Return what matters of it; space around texts is the parser's."""
        return {
            "reasoning": self.reasoning.strip(),
            "content": self.content.strip(),
            "calls": [(name, _parsed(arguments)) for name, arguments in self.calls.values()],
        }


def replay(
    server: TinyGlmServer, conversations: list[dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield for every turn its name, what was trained, and what the server says, streaming."""
    with httpx.Client(base_url=server.base_url, timeout=TIMEOUT) as client:
        for conversation in conversations:
            for index, message in enumerate(conversation["messages"]):
                if message["role"] == "assistant":
                    body = _request(server, conversation, index)
                    name = f"{conversation['name']}, message {index}"
                    yield name, _trained(message), _ask(client, body).said()


def _request(server: TinyGlmServer, conversation: dict[str, Any], index: int) -> dict[str, Any]:
    return {
        "model": server.model,
        "messages": conversation["messages"][:index],
        "tools": conversation["tools"],
        "chat_template_kwargs": conversation["template_kwargs"],
        "max_tokens": MAX_TOKENS,
        "stream": True,
    }


def _ask(client: httpx.Client, body: dict[str, Any]) -> Turn:
    turn = Turn()
    with client.stream("POST", "chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line.removeprefix("data: "))["choices"]:
                    turn.add(choice["delta"])
    return turn


def _trained(message: dict[str, Any]) -> dict[str, Any]:
    functions = [call["function"] for call in message.get("tool_calls", [])]
    return {
        "reasoning": message.get("reasoning_content", ""),
        "content": message["content"],
        "calls": [(call["name"], json.loads(call["arguments"])) for call in functions],
    }


def _parsed(arguments: str) -> Any:
    """Return the arguments, or the text itself when it is not JSON."""
    try:
        return json.loads(arguments)
    except json.JSONDecodeError:
        return arguments
