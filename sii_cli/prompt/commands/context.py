"""Commands on the model's context."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt


async def _compact(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.compact()


COMPACT = SlashCommand("summarise the session now, to make room in the model's context", _compact)
