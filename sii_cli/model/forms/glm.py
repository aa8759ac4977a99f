"""GLM: its tokens and parsers, and how its raw text compares with what a server's parser returned.

The text of the ids is read in GLM's form and compared piece by piece. Line ends that the form
itself puts around its parts are not a difference.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from recordings.events import CallRequest, Flag
from sii_cli.model.forms.form import CallStyle, Form

_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|\Z)", re.DOTALL)
_KEY, _KEY_END, _VALUE_END = "<arg_key>", "</arg_key>", "</arg_value>"
_VALUE = re.compile(r"\s*<arg_value>")
_COMPACT = re.compile(r"<tool_call>[^\s<{]+(?:<arg_key>|</tool_call>|\{)")
_MISSING = object()
_LITERAL = 100_000
"""Characters of a value that are read as Python: its syntax tree takes a hundred times as many."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """The raw text of a response, in parts."""

    before: str
    """Up to the first call."""
    after: tuple[str, ...]
    """After each call."""
    calls: tuple[tuple[str, bool], ...]
    """The text of each call, and whether it was ended."""


def differences(
    raw: str, reasoning: str | None, content: str | None, calls: Sequence[CallRequest]
) -> list[Flag]:
    """Return the flags of a whole response, `raw` without its stop token (`recordings.flags`)."""
    parts = _parts_of(raw)
    thought, answer = _thought_and_answer(parts.before, reasoning)
    found = [
        *_compare("reasoning_differs", thought, reasoning or ""),
        *_compare("content_differs", "".join((answer, *parts.after)), content or ""),
        *_compare_calls(parts.calls, calls),
    ]
    if any(text.strip() for text in parts.after):
        found.append("text_moved")
    return list(dict.fromkeys(found))


def call_style(raw: str) -> CallStyle | None:
    """Return how calls are written: GLM-4.7 has no line end after the name, GLM-4.5 has one."""
    if _COMPACT.search(raw) is not None:
        return CallStyle("compact (GLM-4.7)", is_forced=True)
    if "<tool_call>" in raw:
        return CallStyle("with newlines (GLM-4.5)", is_forced=False)
    return None


def _parts_of(raw: str) -> _Raw:
    before, at = "", 0
    after: list[str] = []
    calls: list[tuple[str, bool]] = []
    start = _after_thought(raw)
    for found in _CALL.finditer(raw, start):
        text = raw[at : found.start()]
        if calls:
            after.append(text)
        else:
            before = text
        calls.append((found[1], bool(found[2])))
        at = found.end()
    if not calls:
        return _Raw(raw, (), ())
    return _Raw(before, (*after, raw[at:]), tuple(calls))


def _after_thought(raw: str) -> int:
    """Return where calls may begin: not within the reasoning, which may mention one."""
    end = raw.find("</think>")
    return end if end >= 0 else 0


def _thought_and_answer(before: str, reasoning: str | None) -> tuple[str, str]:
    thought, ended, answer = before.partition("</think>")
    space, opened, rest = thought.partition("<think>")
    if opened and not space.strip():
        thought = rest
    elif not ended and not reasoning:  # a model that does not think
        return "", before
    if not ended and reasoning and thought.strip().startswith(reasoning.strip()):
        return reasoning, thought.replace(reasoning.strip(), "", 1)
    return thought, answer


def _compare(flag: Flag, written: str, shown: str) -> Iterator[Flag]:
    if written.strip("\n") == shown.strip("\n"):
        return
    yield "whitespace_differs" if written.strip() == shown.strip() else flag


def _compare_calls(
    written: Sequence[tuple[str, bool]], shown: Sequence[CallRequest]
) -> Iterator[Flag]:
    if not all(ended for _, ended in written):
        yield "call_unterminated"
    if len(written) != len(shown):
        yield "calls_differ"
        return
    for (text, _), call in zip(written, shown, strict=True):
        yield from _compare_call(text, call)


def _compare_call(text: str, call: CallRequest) -> Iterator[Flag]:
    if text.removeprefix(call.name).strip() == call.arguments.strip():
        return  # GLM-4 wrote the arguments as JSON
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        arguments = None
    name, _, _ = text.partition(_KEY)
    pairs, rest = _arguments(text, len(name))
    same_keys = isinstance(arguments, dict) and [key.strip() for key, _ in pairs] == list(arguments)
    if name.strip() != call.name or rest.strip() or not same_keys:
        yield "calls_differ"
        return
    for (_, value), shown in zip(pairs, arguments.values(), strict=True):
        yield from _compare_value(value, shown)


def _arguments(text: str, at: int) -> tuple[list[tuple[str, str]], str]:
    """Return the (key, value) pairs of a call from an index on, and the text between them."""
    pairs: list[tuple[str, str]] = []
    rest: list[str] = []
    while (start := text.find(_KEY, at)) >= 0 and (end := text.find(_KEY_END, start)) >= 0:
        value = _VALUE.match(text, end + len(_KEY_END))
        value_end = text.find(_VALUE_END, value.end()) if value else -1
        if value is None or value_end < 0:
            break
        rest.append(text[at:start])
        pairs.append((text[start + len(_KEY) : end], text[value.end() : value_end]))
        at = value_end + len(_VALUE_END)
    return pairs, "".join([*rest, text[at:]])


def _compare_value(written: str, shown: Any) -> Iterator[Flag]:
    if isinstance(shown, str):
        if written != shown:
            yield "whitespace_differs" if written.strip() == shown.strip() else "calls_differ"
    elif _parsed(written.strip()) != shown:
        yield "calls_differ"


def _parsed(written: str) -> Any:
    """Parse a value as lenient parsers do: JSON, then Python (`True`, `030` and the like)."""
    for text in (written, written.lower()):
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    with suppress(ValueError):
        return int(written)
    if len(written) <= _LITERAL:
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(written)
    return _MISSING


GLM = Form(
    name="GLM",
    match=("*glm*",),
    parsers=("glm45", "glm47"),
    profile={
        "tool_call_parser": "glm45",
        "reasoning_parser": "glm45",
        "thinking_off": {"enable_thinking": False},
        "context_length": 131072,
        "stop_tokens": ["<|endoftext|>", "<|user|>", "<|observation|>"],
        "call_stop": "<|observation|>",
        "control_tokens": [
            *("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
            *("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"),
            *("[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<think>", "</think>"),
            *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
            *("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "/nothink"),
        ],
    },
    compare=differences,
    call_style=call_style,
)
