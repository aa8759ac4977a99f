"""Finds messages that spell control tokens, which the ids wire sends as plain text.

A trainer that renders such a message with a chat template would make the token of it.
"""

from __future__ import annotations

import json
import re

from recordings.events import WireInfo
from recordings.samples.sample import SampleTurn


class ControlTokens:
    """The control tokens of the model of a session, where they are sent as text."""

    def __init__(self) -> None:
        self._tokens: re.Pattern[str] | None = None

    def follow(self, wire: WireInfo | None) -> None:
        """Take the wire of a session, from here on."""
        tokens = wire.control_tokens if wire is not None else []
        if tokens:
            longest_first = sorted(tokens, key=len, reverse=True)
            self._tokens = re.compile("|".join(map(re.escape, longest_first)))

    def are_in(self, turn: SampleTurn) -> bool:
        """Return whether a message spells one; the system prompt is rendered by the server."""
        if self._tokens is None or turn.seq == 0:
            return False
        return any(self._tokens.search(text) for one in turn.texts() for text in _readings(one))


def _readings(text: str) -> tuple[str, ...]:
    """Return a text, and what it says without JSON escapes where it is JSON."""
    if "\\" not in text:
        return (text,)
    try:
        return text, json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return (text,)
