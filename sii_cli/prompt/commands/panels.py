"""The command that turns the panel above the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words

if TYPE_CHECKING:
    from sii_cli.prompt.panel import Tab

_TABS: dict[str, Tab] = {"todos": "todos", "jobs": "jobs", "diff": "changes", "changes": "changes"}


def _panel(prompt: SlashPrompt, words: str) -> None:
    prompt.session.show_panel(_TABS.get(words))


PANEL = SlashCommand(
    "show a panel: /panel todos, jobs or diff; without a name the next one (Ctrl-T)",
    _panel,
    Words("`todos`, `jobs`, `diff` or nothing", lambda words: not words or words in _TABS),
    at_once=True,
)
