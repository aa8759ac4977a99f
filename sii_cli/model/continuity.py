"""Whether a prompt continues exactly where the model stopped, or why it does not.

Within a round the next prompt must be the last one, what was generated, and something new: only
then is the whole of it one training sample. This is found by comparing ids, never assumed.
"""

from __future__ import annotations

from recordings.events import BreakCause, Continuity

_USER = b'{"role":"user"'
"""How an encoded user message begins (`recordings.conversation.messages.message_of`)."""


def is_of_user(encoded: bytes) -> bool:
    """Return whether an encoded message is a user's."""
    return encoded.startswith(_USER)


def continuity(
    stood: int, keep: int, *, cause: BreakCause, stop_may_change: bool = False
) -> Continuity:
    """Compare a prompt with the previous call, whose first `keep` of `stood` ids it shares.

    `stood` counts the previous prompt's ids and those generated after it; 0 before the first call.
    `cause` is why the prompt breaks, where it does. `stop_may_change`: the last id ended a response
    and is not sent again where another role follows (the ids wire).
    """
    if not stood:
        return Continuity(kind="first")
    if keep >= stood:
        return Continuity(kind="extension")
    if stop_may_change and keep == stood - 1:
        return Continuity(kind="extension", at=keep, stop_replaced=True)
    return Continuity(kind="break", cause=cause, at=keep)
