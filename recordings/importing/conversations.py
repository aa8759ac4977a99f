"""Reading what can be imported: ATIF documents, and chat messages in the form of OpenAI or LIMI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from recordings.errors import UNPARSABLE, RecordingError
from recordings.storage.encoding import encode

_THINK = re.compile(r"\s*<think>(.*?)</think>\n?(.*)", re.DOTALL)
_LONGEST = 256 << 20
"""Characters of a line or a document: what is longer has no end, as `/dev/zero`."""
_ROLES = {"system", "developer", "user", "assistant", "tool"}


class NotImportable(RecordingError):
    """Raised when something in a file is not a conversation; the message says where."""


@dataclass(frozen=True, slots=True)
class ImportedConversation:
    """A conversation as chat messages, with arguments as strings."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    model: str = "unknown"
    source: str = ""
    """File and line."""


def read_conversations(path: Path) -> Iterator[ImportedConversation]:
    """Yield the conversations of a file of JSON lines, or of one JSON document.

    Raises `NotImportable`.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, document in _documents(path, _lines(path, file)):
                yield _conversation(document, f"{path.name}:{number}")
    except (OSError, UnicodeDecodeError) as error:
        raise NotImportable(f"{path} cannot be read ({error}).") from None


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Yield the lines of a file. Raises `NotImportable` for a line that is too long."""
    while line := file.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise NotImportable(f"A line of {path} is longer than {_LONGEST:,} characters.")
        yield line


def _documents(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    """Yield each document with the line in which it begins."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            yield number, json.loads(text)
        except UNPARSABLE:
            if number > 1:
                raise NotImportable(f"Line {number} of {path} is not JSON.") from None
            try:
                yield 1, json.loads(_whole(path, text, lines))
            except UNPARSABLE:
                raise NotImportable(f"{path} is neither JSON lines nor JSON.") from None


def _whole(path: Path, first: str, rest: Iterator[str]) -> str:
    """Return a document of several lines. Raises `NotImportable` for one without an end."""
    pieces, size = [first], len(first)
    for line in rest:
        pieces.append(line)
        size += len(line)
        if size > _LONGEST:
            raise NotImportable(
                f"{path} is not JSON lines, and longer than {_LONGEST:,} characters."
            )
    return "".join(pieces)


def _conversation(document: Any, place: str) -> ImportedConversation:
    try:
        if "schema_version" in document and "steps" in document:
            return _from_atif(document, place)
        tools = document.get("tools") or []
        return ImportedConversation(
            messages=list(map(_message, document["messages"])),
            tools=_tools(json.loads(tools) if isinstance(tools, str) else tools),
            model=str(document.get("model") or "unknown"),
            source=place,
        )
    except (*UNPARSABLE, LookupError, TypeError, AttributeError) as error:
        raise NotImportable(
            f"{place} is not a conversation ({_words(error)}): it must be ATIF, or an object with "
            "`messages`."
        ) from None


def _words(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)


def _message(given: dict[str, Any]) -> dict[str, Any]:
    role = given["role"]
    if role not in _ROLES:
        raise ValueError(f"the role {role!r}")
    message: dict[str, Any] = {
        "role": "system" if role == "developer" else role,
        "content": _text(given.get("content")),
    }
    if role == "tool":
        message["tool_call_id"] = given.get("tool_call_id")
    if role == "assistant":
        reasoning = given.get("reasoning_content") or given.get("reasoning")
        inline = None if reasoning else _THINK.fullmatch(message["content"])
        if inline:
            reasoning, message["content"] = inline.groups()
        message["reasoning"] = _text_or_none(reasoning, "reasoning")
        message["calls"] = [_call(call) for call in given.get("tool_calls") or ()]
    return message


def _call(given: dict[str, Any]) -> tuple[str | None, str, str]:
    function = given.get("function", given)
    call_id = _text_or_none(given.get("id"), "id of a call")
    return call_id, str(function["name"]), _arguments(function.get("arguments"))


def _arguments(given: Any) -> str:
    """Return arguments as a string; a string stays as it is."""
    return given if isinstance(given, str) else encode(given or {}).decode()


def _tools(given: Any) -> list[dict[str, Any]]:
    """Return the tools. Raises `ValueError` for what is not a list of objects."""
    if not isinstance(given, list) or not all(isinstance(tool, dict) for tool in given):
        raise ValueError("tools that are not a list of objects")
    return given


def _text_or_none(given: Any, what: str) -> str | None:
    """Return a text or `None`. Raises `ValueError` for anything else."""
    if given is not None and not isinstance(given, str):
        raise ValueError(f"{what} that is not text")
    return given


def _text(content: Any) -> str:
    """Return the text of a content. Raises `ValueError` for images and the like."""
    if content is None or isinstance(content, str):
        return content or ""
    if any(part.get("type") != "text" for part in content):
        raise ValueError("content that is not text")
    return "".join(part["text"] for part in content)


def _from_atif(document: dict[str, Any], place: str) -> ImportedConversation:
    messages: list[dict[str, Any]] = []
    for step in document["steps"]:
        role = {"system": "system", "user": "user", "agent": "assistant"}[step["source"]]
        message: dict[str, Any] = {"role": role, "content": _text(step["message"])}
        messages.append(message)
        if role == "assistant":
            message["reasoning"] = _text_or_none(step.get("reasoning_content"), "reasoning")
            message["calls"] = [
                (
                    _text_or_none(call["tool_call_id"], "id of a call"),
                    str(call["function_name"]),
                    _arguments(call["arguments"]),
                )
                for call in step.get("tool_calls") or ()
            ]
            results = (step.get("observation") or {}).get("results", ())
            messages += [
                {
                    "role": "tool",
                    "content": _text(result.get("content")),
                    "tool_call_id": result.get("source_call_id"),
                }
                for result in results
            ]
    agent = document["agent"]
    return ImportedConversation(
        messages=messages,
        tools=_tools(agent.get("tool_definitions") or []),
        model=str(agent.get("model_name") or "unknown"),
        source=place,
    )
