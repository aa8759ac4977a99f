"""Commands on the workspace."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words, is_number


async def _undo(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.undo(int(words) if words else None)


UNDO = SlashCommand(
    "restore the workspace to before the last round (/undo N: the last N steps)",
    _undo,
    Words("a number of steps", lambda words: not words or is_number(words)),
)
