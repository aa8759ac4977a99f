"""Proves, before a session, that a form and a tokenizer write what the server's template writes.

A few conversations that have every kind of message are rendered by the server, and written here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings.conversation.messages import encode_message
from recordings.conversation.restore import SentMessage
from sii_cli.model.ids.prompt_form import prompt_forms
from sii_cli.model.ids.transcript import Retain, Transcript
from sii_cli.model.ids.wire import IdsWire
from sii_cli.model.ids.writer import Writer
from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer
from sii_cli.tokenizer.vocabulary import Vocabulary, load_vocabulary

Render = Callable[[dict[str, Any]], Awaitable[list[int] | None]]
"""A body for `/tokenize` → ids; `None` where the server does not say."""
Message = dict[str, Any]

ODD = (
    '世界 🌍 héllo\t  x_1 = {"a": [1, 2.50]}\r\n\n    def f(self):  # Ünïcode 日本語 […]\n'
    "I'll  naïve 0x1F 1234567 <b>&amp;</b> \\u00e9   \n"
)
"""Text that tokenizers split in different ways."""
_ENTRIES = 1_000
"""Entries of the vocabulary that are compared: about 8 kB, 2,000 ids."""
_SYSTEM: Message = {"role": "system", "content": "S"}
_USER: Message = {"role": "user", "content": f"ü{ODD}"}
_ARGUMENTS = '{"a": 1, "b": "x\\ny", "c": [true, null]}'
_CALL = {"name": "f", "arguments": _ARGUMENTS}
_CALLED: Message = {
    "role": "assistant",
    "content": "C",
    "reasoning_content": "R",
    "tool_calls": [
        {"id": "1", "type": "function", "function": _CALL},
        {"id": "2", "type": "function", "function": _CALL},
    ],
}
_RESULTS: list[Message] = [
    {"role": "tool", "tool_call_id": "1", "content": "1\n"},
    {"role": "tool", "tool_call_id": "2", "content": " 2"},
]
_NOTE: Message = {"role": "system", "content": "\nN"}
_ANSWER: Message = {"role": "assistant", "content": "A", "reasoning_content": "R"}

_LOOP: dict[str, list[Message]] = {
    "a user's message": [_USER],
    "calls and their results": [_USER, _CALLED, *_RESULTS],
    "a message of the harness": [_USER, _CALLED, *_RESULTS, _NOTE],
}
_TWO_ROUNDS: list[Message] = [_USER, _ANSWER, _USER]


@dataclass(frozen=True, slots=True)
class _Rendered:
    """What the server makes of the conversations."""

    front: list[int]
    loop: dict[str, list[int]]
    rounds: list[int]


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the template does with earlier reasoning, or the case that it writes differently."""

    retain: Retain | None = None
    failed: str = ""


async def prove_wire(
    render: Render,
    model: str,
    tokenizer: Path,
    kwargs: dict[str, Any],
    retain: Retain | None,
) -> IdsWire | str:
    """Return the wire on which prompts can be sent as ids, or why they cannot.

    `kwargs`: the template's arguments. `retain`: what becomes of earlier reasoning; `None` for what
    the template does.
    """
    try:
        vocabulary = await asyncio.to_thread(load_vocabulary, tokenizer)
    except UnknownTokenizer as error:
        return str(error)
    except ImportError:
        return "the package tokenizers is missing"
    about = {"model": model, **({"chat_template_kwargs": kwargs} if kwargs else {})}
    if why := await _differing_vocabulary(render, model, vocabulary, tokenizer):
        return why
    rendered = await _rendered(render, about)
    if rendered is None:
        return "the server does not render messages as ids (/tokenize)"
    failed: list[str] = []
    for form in prompt_forms():
        for thinking in (True, False):
            proof = _prove(Writer(vocabulary, form, thinking=thinking), rendered)
            if proof.retain is not None:
                return IdsWire(vocabulary, form, thinking, retain or proof.retain)
            failed.append(f"{form.name}: {proof.failed}")
    return f"no known form writes what the server's template writes ({_nearest(failed)})"


async def render_front(
    render: Render, model: str, system: str, tools: list[Any], kwargs: dict[str, Any]
) -> list[int] | None:
    """Return the ids of a session's system prompt and tools; `None` where the server fails."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": system}],
        "add_generation_prompt": False,
    }
    body |= {"tools": tools} if tools else {}
    body |= {"chat_template_kwargs": kwargs} if kwargs else {}
    return await render(body)


def _nearest(failed: list[str]) -> str:
    """Return the form that came furthest."""
    cases = ["", *_LOOP, "two rounds"]
    return max(failed, key=lambda text: cases.index(text.split(": ")[-1]), default="there is none")


async def _differing_vocabulary(
    render: Render, model: str, vocabulary: Vocabulary, path: Path
) -> str | None:
    """Return why a tokenizer file is not the server's, or `None`."""
    entries = vocabulary.sample(_ENTRIES)
    texts = ODD, entries, "".join(vocabulary.control)
    own = vocabulary.encode(ODD), vocabulary.encode(entries), list(vocabulary.control.values())
    bodies = ({"model": model, "prompt": text, "add_special_tokens": False} for text in texts)
    served = await asyncio.gather(*map(render, bodies))
    if None in served:
        return "the server does not say what the ids of a text are (/tokenize)"
    if served != [*own]:
        return f"{path} is not the tokenizer of the served model"
    return None


async def _rendered(render: Render, about: dict[str, Any]) -> _Rendered | None:
    bodies = [
        about | {"messages": [_SYSTEM], "add_generation_prompt": False},
        *(about | {"messages": [_SYSTEM, *map(_named, case)]} for case in _LOOP.values()),
        about | {"messages": [_SYSTEM, *map(_named, _TWO_ROUNDS)]},
    ]
    front, *cases, rounds = await asyncio.gather(*map(render, bodies))
    loop = {name: ids for name, ids in zip(_LOOP, cases, strict=True) if ids is not None}
    if front is None or rounds is None or len(loop) < len(_LOOP):
        return None
    return _Rendered(front, loop, rounds)


def _named(message: Message) -> Message:
    """Give reasoning under both names: `/tokenize` knows the newer one alone (vLLM 0.32)."""
    if "reasoning_content" not in message:
        return message
    return message | {"reasoning": message["reasoning_content"]}


def _prove(writer: Writer, rendered: _Rendered) -> _Proof:
    for name, messages in _LOOP.items():
        if _written(writer, rendered.front, messages, "all") != rendered.loop[name]:
            return _Proof(failed=name)
    choices: tuple[Retain, ...] = ("template", "all")
    for retain in choices:
        if _written(writer, rendered.front, _TWO_ROUNDS, retain) == rendered.rounds:
            return _Proof(retain)
    return _Proof(failed="two rounds")


def _written(
    writer: Writer, front: list[int], messages: list[Message], retain: Retain
) -> list[int]:
    sent = [SentMessage(seq, encode_message(one)) for seq, one in enumerate([_SYSTEM, *messages])]
    return Transcript(writer, front, retain).prompt(sent)
