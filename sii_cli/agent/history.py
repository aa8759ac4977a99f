"""The messages of a session as they are sent: each is encoded and hashed once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from recordings.conversation.messages import chain_message, encode_message, message_of
from recordings.conversation.restore import SentMessage
from recordings.events import Event, MessageSpan


class History:
    """All messages that the model reads, encoded, with the events that they come from."""

    def __init__(
        self, messages: Sequence[SentMessage] = (), sent: int = 0, *, replaced: bool = False
    ) -> None:
        """`messages` are those of a rebuilt session, of which the first `sent` were sent."""
        self.replaced = replaced
        """Whether messages were replaced since the last `span`."""
        self.encoded: list[bytes] = []
        self.sha256 = ""
        """Rolling hash over all messages (`recordings.conversation.messages.chain_message`)."""
        self._sources: list[int] = []
        self._sent = sent
        for message in messages:
            self._append(message.seq, message.encoded)

    def add(self, event: Event) -> None:
        """Append the message of an event, if it has one."""
        message = message_of(event.data)
        if message is not None:
            self._append(event.seq, encode_message(message))

    @property
    def messages(self) -> list[SentMessage]:
        """All messages, with the events they came from."""
        return [SentMessage(*pair) for pair in zip(self._sources, self.encoded, strict=True)]

    def span_of(self, messages: Sequence[SentMessage]) -> MessageSpan:
        """Return another list as the difference from the one sent last."""
        seqs = [message.seq for message in messages]
        pairs = zip(self._sources[: self._sent], seqs, strict=False)
        keep = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return MessageSpan(keep=keep, new=seqs[keep:])

    def replace(self, messages: Sequence[SentMessage]) -> None:
        """Continue with another list; the next `span` says how it differs from the one sent."""
        self._sent = self.span_of(messages).keep
        self.replaced = True
        self._set(messages)

    def put_in_order(self, seqs: Sequence[int]) -> None:
        """Put the messages of these events, none of them sent yet, in this order."""
        messages = {message.seq: message for message in self.messages}
        ordered = iter(seqs)
        moved = set(seqs)
        self._set(
            [messages[next(ordered)] if seq in moved else one for seq, one in messages.items()]
        )

    def span(self) -> MessageSpan:
        """Return the whole list as the difference from the one sent last, and mark it sent."""
        span = MessageSpan(keep=self._sent, new=self._sources[self._sent :])
        self._sent = len(self._sources)
        self.replaced = False
        return span

    def _set(self, messages: Sequence[SentMessage]) -> None:
        self.encoded, self._sources, self.sha256 = [], [], ""
        for message in messages:
            self._append(message.seq, message.encoded)

    def _append(self, seq: int, encoded: bytes) -> None:
        self.encoded.append(encoded)
        self._sources.append(seq)
        self.sha256 = chain_message(self.sha256, encoded)
