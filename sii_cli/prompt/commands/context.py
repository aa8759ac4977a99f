"""Commands on the model's context."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words


async def _compact(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.compact(words)


COMPACT = SlashCommand(
    "summarise the session now, to make room in the model's context; words say what to keep",
    _compact,
    Words("what the summary should keep", lambda words: True),
)
