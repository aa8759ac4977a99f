"""How full the context is: the server's own count, and an estimate of what was added since."""

from __future__ import annotations

from collections.abc import Sequence

from sii_cli.agent.context.tokens import FRAME, TokenCounter, text_of


class Meter:
    """Counts every message once: by the server when it was sent, by the counter before."""

    def __init__(self, counter: TokenCounter, tools: bytes | None = None) -> None:
        """`tools` is the JSON array of schemas that stands in every prompt."""
        self._counter = counter
        self._tools = (tools or b"").decode()
        self._known: int | None = None
        """Tokens of the messages counted so far, or `None` before the first count."""
        self._covered = 0
        """How many messages these are."""
        self._new = 0
        """Tokens of them that the server has not counted."""

    @property
    def used(self) -> int:
        """Tokens of all messages counted so far."""
        return (self._known or 0) + self._new

    @property
    def exact(self) -> bool:
        """Whether nothing is estimated but what a template puts around messages."""
        return self._new == 0 or self._counter.exact

    @property
    def unsure(self) -> int:
        """Tokens by which the prompt may be longer than `used` says."""
        return 0 if self._counter.exact else self._new // 5

    async def count(self, messages: Sequence[bytes]) -> None:
        """Count the messages that are new since the last time."""
        texts = [text_of(message) for message in messages[self._covered :]]
        if self._known is None:
            self._known = 0
            texts.append(self._tools)
        if texts:
            self._new += await self._counter.count("".join(texts)) + FRAME * len(texts)
        self._covered = len(messages)

    def set(self, tokens: int, messages: int) -> None:
        """Set the server's count of the first `messages` messages."""
        self._known, self._covered, self._new = tokens, messages, 0
