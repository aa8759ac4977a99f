"""A message as a document that a human edits: sections under marked lines, and back again.

    %%% reasoning
    …
    %%% content
    …
    %%% call bash
    %%% argument command
    pytest -q
    %%% argument timeout (json)
    30

An argument is text as it is, or JSON if it is marked so; `%%% call NAME (raw)` is followed by the
arguments as one string, JSON or not. The mark is longer where a text holds such a line itself.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from recordings.events import CallRequest, ModelResponse
from sii_cli.errors import UsageError
from sii_cli.model.control_tokens import neutralise_turn

_MARK = "%%%"
_NEEDS_JSON = re.compile("[\r\ud800-\udfff]")
"""What editors and encodings do not leave as it is."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a model's message says; calls are (tool, arguments as one string)."""

    reasoning: str = ""
    content: str = ""
    calls: tuple[tuple[str, str], ...] = ()


def message_of_response(response: ModelResponse) -> Message:
    """Return what of a response may be edited."""
    calls = tuple((call.name, call.arguments) for call in response.calls)
    return Message(response.reasoning or "", response.content or "", calls)


def write_document(message: Message) -> str:
    """Return a message as a document; `read_document` returns the message again."""
    sections = list(_sections(message))
    lines = (line for _, text in sections for line in text.split("\n"))
    taken = {len(line) - len(line.lstrip("%")) for line in lines}
    mark = "%" * next(length for length in count(len(_MARK)) if length not in taken)
    return "".join(
        f"{mark} {title}\n{text}\n" if text else f"{mark} {title}\n" for title, text in sections
    )


def read_document(document: str, before: Message = Message()) -> Message:
    """Read a document; arguments that say what those of `before` say are kept to the letter.

    Raises `UsageError`.
    """
    reasoning = content = ""
    calls: list[_Call] = []
    for title, text in _read_sections(document):
        kind, _, name = title.partition(" ")
        name = name.strip()
        if kind == "reasoning" and not name:
            reasoning = text
        elif kind == "content" and not name:
            content = text
        elif kind == "call" and name:
            calls.append(_Call(name, text))
        elif kind == "argument" and name and calls:
            calls[-1].add(name, text)
        else:
            raise UsageError(
                f"The section {title!r} is not known: there are reasoning, content, call NAME and, "
                "after a call, argument NAME."
            )
    made = _kept_calls(before.calls, [call.made() for call in calls])
    return Message(_kept(before.reasoning, reasoning), _kept(before.content, content), tuple(made))


def edited_response(before: ModelResponse, message: Message) -> ModelResponse:
    """Return the response that says what a human wrote; what was generated is not in it.

    Calls keep the ids of those in their places.
    """
    ids = [call.call_id for call in before.calls]
    ids += [f"edited-{before.step}-{number}" for number in range(len(ids), len(message.calls))]
    calls = [
        CallRequest(index=index, call_id=ids[index], name=name, arguments=arguments)
        for index, (name, arguments) in enumerate(message.calls)
    ]
    sent, found = neutralise_turn(message.reasoning, message.content, calls)
    return ModelResponse(
        step=before.step,
        attempt=before.attempt,
        reasoning=message.reasoning or None,
        content=message.content or None,
        calls=calls,
        neutralised=found,
        sent=sent,
        finish_reason="tool_calls" if message.calls else "stop",
        complete=True,
    )


def _sections(message: Message) -> Iterator[tuple[str, str]]:
    if message.reasoning:
        yield "reasoning", message.reasoning
    if message.content or not message.calls:
        yield "content", message.content
    for name, arguments in message.calls:
        yield from _call_sections(name, arguments)


def _call_sections(name: str, arguments: str) -> Iterator[tuple[str, str]]:
    parsed = _object(arguments)
    if parsed is None or any(not _is_name(key) for key in parsed) or not _is_name(name):
        yield f"call {name} (raw)", arguments
        return
    yield f"call {name}", ""
    for key, value in parsed.items():
        if isinstance(value, str) and not _NEEDS_JSON.search(value):
            yield f"argument {key}", value
        else:
            yield f"argument {key} (json)", json.dumps(value, indent=2)


def _read_sections(document: str) -> Iterator[tuple[str, str]]:
    """Yield (title, text); the first line's mark is that of all."""
    lines = document.removesuffix("\n").split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    mark = lines[first].split(" ")[0]
    if not mark.startswith(_MARK) or mark.strip("%"):
        raise UsageError(f"The document begins with no section, such as `{_MARK} content`.")
    title: str | None = None
    text: list[str] = []
    for line in lines[first:]:
        if line.startswith(f"{mark} "):
            if title is not None:
                yield title, "\n".join(text)
            title, text = line.removeprefix(mark).strip(), []
        else:
            text.append(line)
    if title is not None:
        yield title, "\n".join(text)


class _Call:
    def __init__(self, name: str, text: str) -> None:
        self._raw = name.endswith(" (raw)")
        self._name = name.removesuffix(" (raw)")
        self._text = text
        self._arguments: dict[str, Any] = {}

    def add(self, name: str, text: str) -> None:
        key = name.removesuffix(" (json)")
        if self._raw:
            raise UsageError(f"A raw call of {self._name} has its arguments as one text.")
        if key in self._arguments:
            raise UsageError(f"The argument {key} of {self._name} is there twice.")
        if key == name:
            self._arguments[key] = text
            return
        try:
            self._arguments[key] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"The argument {key} of {self._name} is not JSON: {error}.") from None

    def made(self) -> tuple[str, str]:
        if self._raw:
            return self._name, self._text
        if self._text.strip():
            raise UsageError(
                f"Text stands right after the call of {self._name}: say which argument it is, "
                f"with a line such as `{_MARK} argument command`."
            )
        return self._name, json.dumps(self._arguments, ensure_ascii=False)


def _kept(before: str, now: str) -> str:
    """Editors change the ends of lines."""
    return before if before.replace("\r\n", "\n") == now.replace("\r\n", "\n") else now


def _kept_calls(
    before: Sequence[tuple[str, str]], now: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the calls, those that say what one of before says as that is written."""
    left: dict[tuple[str, str], deque[tuple[str, str]]] = defaultdict(deque)
    for call in before:
        left[_said(call)].append(call)
    return [same.popleft() if (same := left[_said(call)]) else call for call in now]


def _said(call: tuple[str, str]) -> tuple[str, str]:
    """Return what a call says, however its arguments are written."""
    name, arguments = call
    parsed = _object(arguments)
    return name, arguments if parsed is None else json.dumps(parsed)


def _object(arguments: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _is_name(text: str) -> bool:
    """Tell whether a section's title can hold it."""
    return text.isidentifier() and text.isascii()
