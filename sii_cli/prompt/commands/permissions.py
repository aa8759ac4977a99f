"""Commands on permissions."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt


def _rules(prompt: SlashPrompt, words: str) -> None:
    from sii_cli.prompt.rules import rules_lines  # pydantic is slow to import

    session = prompt.session
    session.say(*rules_lines(session.permissions, session.settings.sources))


RULES = SlashCommand(
    "show the rules of permissions, where each comes from, and what they decided",
    _rules,
    at_once=True,
)
