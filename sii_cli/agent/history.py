"""The messages of a session as they are sent: encoded once, appended to, hashed as they come."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from recordings.conversation.messages import chain_message, encode_message, message_of
from recordings.conversation.restore import SentMessage
from recordings.events import Event, MessageSpan


class History:
    """What the model has been told, as encoded messages with the events they came from."""

    def __init__(
        self, messages: Sequence[SentMessage] = (), sent: int = 0, *, replaced: bool = False
    ) -> None:
        """`messages` are those of a restored session, of which the first `sent` were sent."""
        self.replaced = replaced
        """Messages were replaced since the last `span`."""
        self.encoded: list[bytes] = []
        self.sha256 = ""
        """Rolling hash over all messages (`recordings.conversation.messages.chain_message`)."""
        self._sources: list[int] = []
        self._sent = sent
        for message in messages:
            self._append(message.seq, message.encoded)

    def add(self, event: Event) -> None:
        """Append the message that an event stands for, if it stands for one."""
        message = message_of(event.data)
        if message is not None:
            self._append(event.seq, encode_message(message))

    @property
    def messages(self) -> list[SentMessage]:
        """All messages, with the events they came from."""
        return [SentMessage(*pair) for pair in zip(self._sources, self.encoded, strict=True)]

    def span_of(self, messages: Sequence[SentMessage]) -> MessageSpan:
        """Return another list expressed by the one sent before."""
        seqs = [message.seq for message in messages]
        pairs = zip(self._sources[: self._sent], seqs, strict=False)
        keep = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return MessageSpan(keep=keep, new=seqs[keep:])

    def replace(self, messages: Sequence[SentMessage]) -> None:
        """Go on with another list; the next `span` says how it differs from the one sent."""
        self._sent = self.span_of(messages).keep
        self.replaced = True
        self._set(messages)

    def put_in_order(self, seqs: Sequence[int]) -> None:
        """Let the messages of these events, none of them sent, stand in this order."""
        messages = {message.seq: message for message in self.messages}
        ordered = iter(seqs)
        moved = set(seqs)
        self._set(
            [messages[next(ordered)] if seq in moved else one for seq, one in messages.items()]
        )

    def span(self) -> MessageSpan:
        """Return the whole list expressed by the one sent before, and call it sent."""
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
