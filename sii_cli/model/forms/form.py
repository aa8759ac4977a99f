"""What a model family is to sii: how it writes reasoning and calls as text, and its tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from recordings.events import CallRequest, Flag


@dataclass(frozen=True, slots=True)
class CallStyle:
    """How the calls of one response are written, where a family has several ways."""

    name: str
    """For people: `compact (GLM-4.7)`."""
    is_forced: bool
    """Whether vLLM's grammar for strict tool calls writes them so, whatever the model learned."""


Compare = Callable[[str, str | None, str | None, Sequence[CallRequest]], list[Flag]]
"""(what the ids of a whole response spell, without the stop token; reasoning; content; calls) →
the flags of what the server's parser lost or moved (`recordings.flags`)."""


@dataclass(frozen=True, slots=True)
class Form:
    """One model family. `profiles.toml` refines by model what is said of the family here."""

    name: str
    match: tuple[str, ...]
    """Patterns for the served name or the folder, in lower case."""
    parsers: tuple[str, ...]
    """vLLM's tool call parsers that read this form."""
    profile: dict[str, Any]
    """Fields of the family's profile (`profiles.toml` describes them): its own parsers, its
    control tokens, its template switches."""
    compare: Compare
    call_style: Callable[[str], CallStyle | None]
    """What the ids of a response spell → how its calls are written; `None` without calls."""
