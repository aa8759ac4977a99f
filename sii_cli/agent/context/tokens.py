"""Counting tokens: by the model's own tokenizer, by its server, or by a plain estimate."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from sii_cli.model.types import Model

if TYPE_CHECKING:
    from tiktoken import Encoding

FRAME = 8
"""Tokens that a chat template puts around a message (roles, tags), and more than most do."""
BYTES_A_TOKEN = 3
"""Of the plain estimate: fewer than text and code come to, so that it errs on the safe side."""
PIECE = 1 << 15
"""Characters that are encoded at a time: a longer run without a blank would take ever longer."""
AT_ONCE = 1 << 14
"""Characters that are counted without a thread: about a millisecond."""


class TokenCounter(Protocol):
    """Counts the tokens of a text."""

    exact: bool
    """The model's own tokens are counted; else they are estimated."""

    async def count(self, text: str) -> int:
        """Return how many tokens a text comes to."""
        ...


class FileCounter:
    """Counts with an encoding built from the model's own `tokenizer.json`."""

    exact = True

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    async def count(self, text: str) -> int:
        """Count here; long texts in a thread."""
        if len(text) <= AT_ONCE:
            return self._count(text)
        return await asyncio.to_thread(self._count, text)

    def _count(self, text: str) -> int:
        pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
        return sum(len(self._encoding.encode(piece, allowed_special="all")) for piece in pieces)


class ServerCounter:
    """Asks the model's server (vLLM's `/tokenize`); estimates while it does not answer."""

    def __init__(self, model: Model) -> None:
        self.exact = True
        self._model = model

    async def count(self, text: str) -> int:
        """Ask the server."""
        counted = await self._model.count_tokens(text)
        self.exact = counted is not None
        return estimate(text) if counted is None else counted


class EstimateCounter:
    """Guesses by the number of bytes, where nothing better is to be had."""

    exact = False

    async def count(self, text: str) -> int:
        """Guess."""
        return estimate(text)


async def make_counter(tokenizer: Path | None, model: Model) -> tuple[TokenCounter, str]:
    """Return the best counter for a model, and in words what it counts by.

    A `tokenizer` that was asked for and cannot be used is told in the words. The folder that a
    server names is not looked at: where things lie on this machine is not its word.
    """
    why = ""
    if tokenizer is not None:
        encoding = await asyncio.to_thread(_encoding, tokenizer)
        if not isinstance(encoding, str):
            return FileCounter(encoding), encoding.name
        why = f" ({encoding})"
    if await model.count_tokens("a") is not None:
        return ServerCounter(model), f"the server's tokenizer{why}"
    return EstimateCounter(), f"an estimate{why}"


def estimate(text: str) -> int:
    """Return about how many tokens a text comes to; rather too many than too few."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def text_of(encoded: bytes) -> str:
    """Return the text of an encoded message that a template renders."""
    message = orjson.loads(encoded)
    texts = [message.get("reasoning_content") or "", message.get("content") or ""]
    for call in message.get("tool_calls") or ():
        texts += [call["function"]["name"], call["function"]["arguments"]]
    return "".join(texts)


@cache
def _encoding(path: Path) -> Encoding | str:
    """Return a tokenizer file's encoding, or why there is none."""
    from sii_cli.tokenizer.tokenizer_file import (  # tiktoken is slow to import
        UnknownTokenizer,
        load_encoding,
    )

    try:
        return load_encoding(path)
    except UnknownTokenizer as error:
        return str(error)
