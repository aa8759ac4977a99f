"""Whether a prompt continues exactly where the model stopped, or why it does not.

Within a round the next prompt must be the last one, what was generated, and something new: only
then is the whole of it one training sample. This is found by comparing ids, never assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

from recordings.events import Continuity

_USER = b'{"role":"user"'
"""How an encoded user message begins (`recordings.conversation.messages.message_of`)."""


def opens_round(messages: Sequence[bytes]) -> bool:
    """Return whether one of these encoded messages is a user's."""
    return any(message.startswith(_USER) for message in messages)


def continuity(stood: int, keep: int, *, new_round: bool, compacted: bool) -> Continuity:
    """Compare a prompt with the previous call, whose first `keep` of `stood` ids it shares.

    `stood` counts the previous prompt's ids and those generated after it; 0 before the first call.
    `new_round`: a user message came since. `compacted`: earlier messages were replaced.
    """
    if not stood:
        return Continuity(kind="first")
    if keep >= stood:
        return Continuity(kind="extension")
    if compacted:
        return Continuity(kind="break", cause="compaction", at=keep)
    return Continuity(kind="break", cause="new_round" if new_round else "drift", at=keep)
