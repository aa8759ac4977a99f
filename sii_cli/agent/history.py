"""The messages of a session as they are sent: each is encoded and hashed once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from recordings.conversation.messages import chain_message
from recordings.conversation.restore import Conversation, SentMessage, sent_message
from recordings.events import Event, MessageSpan, UserMessage


class History:
    """All messages that the model reads, encoded, with the events that they come from."""

    def __init__(
        self,
        messages: Sequence[SentMessage] = (),
        sent: int = 0,
        *,
        replaced: bool = False,
        rounds: int = 0,
    ) -> None:
        """`messages`: of a rebuilt session of so many rounds; the first `sent` were sent."""
        self.replaced = replaced
        """Whether messages were replaced since the last `span`."""
        self.messages: list[SentMessage] = []
        """All messages, with the events they came from."""
        self.encoded: list[bytes] = []
        self.sha256 = ""
        """Rolling hash over all messages (`recordings.conversation.messages.chain_message`)."""
        self._sent = sent
        self._rounds = rounds
        for message in messages:
            self._append(message)

    def add(self, event: Event) -> None:
        """Append the message of an event, if it has one."""
        steers = False
        if isinstance(event.data, UserMessage):
            steers, self._rounds = event.data.round == self._rounds, event.data.round
        message = sent_message(event, steers=steers)
        if message is not None:
            self._append(message)

    def span_of(self, messages: Sequence[SentMessage]) -> MessageSpan:
        """Return another list as the difference from the one sent last."""
        seqs = [message.seq for message in messages]
        before = (message.seq for message in self.messages[: self._sent])
        pairs = zip(before, seqs, strict=False)
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
        new = [message.seq for message in self.messages[self._sent :]]
        span = MessageSpan(keep=self._sent, new=new)
        self._sent = len(self.messages)
        self.replaced = False
        return span

    def _set(self, messages: Sequence[SentMessage]) -> None:
        self.messages, self.encoded, self.sha256 = [], [], ""
        for message in messages:
            self._append(message)

    def _append(self, message: SentMessage) -> None:
        self.messages.append(message)
        self.encoded.append(message.encoded)
        self.sha256 = chain_message(self.sha256, message.encoded)


def history_of(restored: Conversation | None) -> History:
    """Return the history of a session that is continued, or an empty one."""
    if restored is None:
        return History()
    return History(
        restored.messages, restored.sent, replaced=restored.compacted, rounds=restored.rounds
    )
