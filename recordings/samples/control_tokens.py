"""Finds messages that spell control tokens, which the ids wire sends as plain text.

A trainer that renders such a message with a chat template would make the token of it.
"""

from __future__ import annotations

import json
import re

from recordings.events import WireInfo
from recordings.samples.sample import SampleTurn

_MOST = 20_000
_LONGEST = 128
"""Characters of a token. A recording may name any: more and longer ones than models have are not
looked for, so that the time is bounded."""


class ControlTokens:
    """The control tokens of the model of a session, where they are sent as text."""

    def __init__(self) -> None:
        self._tokens: frozenset[str] = frozenset()
        self._lengths: list[int] = []
        self._begin = re.compile(r"(?!)")
        """What a token may begin with."""

    def follow(self, wire: WireInfo | None) -> None:
        """Take the wire of a session, from here on."""
        named = wire.control_tokens[:_MOST] if wire is not None else []
        tokens = frozenset(token for token in named if 0 < len(token) <= _LONGEST)
        if tokens:
            self._tokens, self._lengths = tokens, sorted(set(map(len, tokens)))
            self._begin = re.compile("|".join(map(re.escape, {token[0] for token in tokens})))

    def are_in(self, turn: SampleTurn) -> bool:
        """Return whether a message spells one; the system prompt is rendered by the server."""
        if not self._tokens or turn.seq == 0:
            return False
        return any(self.are_spelled(text) for one in turn.texts() for text in _readings(one))

    def are_spelled(self, text: str) -> bool:
        """Return whether a text has one, in time linear in it however many tokens there are."""
        return any(
            text[found.start() : found.start() + length] in self._tokens
            for found in self._begin.finditer(text)
            for length in self._lengths
        )


def _readings(text: str) -> tuple[str, ...]:
    """Return a text, and what it says without JSON escapes where it is JSON."""
    if "\\" not in text:
        return (text,)
    try:
        return text, json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return (text,)
