"""Whether a prompt goes on exactly where the model stopped, or why it does not.

Within a round the next prompt must be the last one, what was generated, and something new: only
then is the whole of it one training sample. This is found by comparing ids, never assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

from recordings.events import Continuity

_USER = b'{"role":"user"'
"""How a user's message begins as it is sent (`recordings.conversation.messages.message_of`)."""


def opens_round(messages: Sequence[bytes]) -> bool:
    """Whether a user speaks in these encoded messages."""
    return any(message.startswith(_USER) for message in messages)


def continuity(stood: int, keep: int, *, new_round: bool, compacted: bool) -> Continuity:
    """Judge a prompt that has its first `keep` ids in common with the `stood` ids before it.

    `stood` counts the last prompt's ids and those generated after it; 0 when there was no call.
    `new_round`: a user has spoken since. `compacted`: earlier messages were replaced.
    """
    if not stood:
        return Continuity(kind="first")
    if keep >= stood:
        return Continuity(kind="extension")
    if compacted:
        return Continuity(kind="break", cause="compaction", at=keep)
    return Continuity(kind="break", cause="new_round" if new_round else "drift", at=keep)
