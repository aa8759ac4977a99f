"""Whether a message fits the context at all, found out before it is sent."""

from __future__ import annotations

from sii_cli.agent.context.compaction import ModelContext
from sii_cli.agent.context.tokens import estimate
from sii_cli.errors import UsageError

SURE = 5
"""So many times as many tokens as fit, by the estimate, are not counted: they do not fit."""


class MessageTooLong(UsageError):
    """Raised when a message alone is longer than the context takes."""


async def check_fits(text: str, context: ModelContext) -> None:
    """Raise `MessageTooLong` when a text and an answer do not fit the context."""
    budget = context.budget
    if budget.length is None:
        return
    room = budget.length - budget.answer
    tokens = estimate(text)
    about = "about "
    if room < tokens < SURE * room:
        tokens = await context.counter.count(text)
        about = "" if context.counter.exact else about
    if tokens > room:
        raise MessageTooLong(
            f"Your message has {about}{tokens:,} tokens, and this model takes at most {room:,}: "
            "save the text as a file, and name that with @."
        )
