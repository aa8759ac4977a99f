"""Counting tokens: by the model's own tokenizer, by its server, or by an estimate."""

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
"""Tokens that a chat template puts around a message (roles, tags): more than most do."""
BYTES_A_TOKEN = 3
"""Bytes a token in the estimate: fewer than text and code have, so that it is rather too high."""
PIECE = 1 << 15
"""Characters that are encoded at a time: a long run without a blank takes more than linear time."""
AT_ONCE = 1 << 14
"""Characters that are counted without a thread, in about a millisecond."""


class TokenCounter(Protocol):
    """Counts the tokens of a text."""

    exact: bool
    """Whether the model's own tokens are counted; else they are estimated."""

    async def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        ...


class FileCounter:
    """Counts with an encoding built from the model's own `tokenizer.json`."""

    exact = True

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    async def count(self, text: str) -> int:
        """Count; long texts in a thread."""
        if len(text) <= AT_ONCE:
            return self._count(text)
        return await asyncio.to_thread(self._count, text)

    def _count(self, text: str) -> int:
        pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
        return sum(len(self._encoding.encode(piece, allowed_special="all")) for piece in pieces)


class ServerCounter:
    """Asks the model's server (vLLM's `/tokenize`); estimates when it does not answer."""

    def __init__(self, model: Model) -> None:
        self.exact = True
        self._model = model

    async def count(self, text: str) -> int:
        """Ask the server."""
        counted = await self._model.count_tokens(text)
        self.exact = counted is not None
        return estimate(text) if counted is None else counted


class EstimateCounter:
    """Estimates by the number of bytes, where nothing better is available."""

    exact = False

    async def count(self, text: str) -> int:
        """Estimate."""
        return estimate(text)


async def make_counter(tokenizer: Path | None, model: Model) -> tuple[TokenCounter, str]:
    """Return the best counter for a model, and what it counts by, for people.

    The text says why a `tokenizer` that was set cannot be used. The folder that a server names is
    not read: a server does not decide which files of this machine are opened.
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
    """Return about how many tokens a text has; rather too many than too few."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def text_of(encoded: bytes) -> str:
    """Return the text in an encoded message that a template renders."""
    message = orjson.loads(encoded)
    texts = [message.get("reasoning_content") or "", message.get("content") or ""]
    for call in message.get("tool_calls") or ():
        texts += [call["function"]["name"], call["function"]["arguments"]]
    return "".join(texts)


@cache
def _encoding(path: Path) -> Encoding | str:
    """Return the encoding of a tokenizer file, or why it cannot be used."""
    from sii_cli.tokenizer.tokenizer_file import (  # tiktoken is slow to import
        UnknownTokenizer,
        load_encoding,
    )

    try:
        return load_encoding(path)
    except UnknownTokenizer as error:
        return str(error)
