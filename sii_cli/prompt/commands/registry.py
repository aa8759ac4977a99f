"""The commands that the prompt knows by itself: one entry each."""

from __future__ import annotations

from sii_cli.prompt.commands.context import COMPACT
from sii_cli.prompt.commands.sessions import EXIT, NEW, STATUS
from sii_cli.prompt.commands.workspace import UNDO
from sii_cli.prompt.slash import SlashCommand, SlashCommands, SlashPrompt


def _help(prompt: SlashPrompt, words: str) -> None:
    prompt.session.say(*prompt.commands.help_lines())


def make_commands() -> SlashCommands:
    """Return the commands, in the order in which `/help` lists them."""
    return SlashCommands(
        {
            "/help": SlashCommand("show the keys and the commands", _help, at_once=True),
            "/status": STATUS,
            "/undo": UNDO,
            "/compact": COMPACT,
            "/new": NEW,
            "/exit": EXIT,
        }
    )
