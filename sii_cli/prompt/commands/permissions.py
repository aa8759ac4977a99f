"""Commands on permissions."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt


def _rules(prompt: SlashPrompt, words: str) -> None:
    prompt.session.rules()


RULES = SlashCommand(
    "show the rules of permissions, where each comes from, and what they decided",
    _rules,
    at_once=True,
)
