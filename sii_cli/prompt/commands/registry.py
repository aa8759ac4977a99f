"""The commands that the prompt knows by itself: one entry each."""

from __future__ import annotations

from collections.abc import Mapping

from sii_cli.prompt.commands.context import COMPACT
from sii_cli.prompt.commands.going_back import FORK, REDO, REWIND, UNDO
from sii_cli.prompt.commands.models import MODEL, THINK
from sii_cli.prompt.commands.panels import PANEL
from sii_cli.prompt.commands.permissions import RULES
from sii_cli.prompt.commands.ports import OPEN
from sii_cli.prompt.commands.sessions import COPY, EXIT, FORGET, NEW, OFF, RENAME, RESUME, STATUS
from sii_cli.prompt.commands.sign_off import DONE, MARK, NOTE
from sii_cli.prompt.commands.speaker import SPEAKER
from sii_cli.prompt.slash import SlashCommand, SlashCommands, SlashPrompt


def _help(prompt: SlashPrompt, words: str) -> None:
    prompt.session.say_rows(prompt.commands.help_rows())


COMMANDS = {
    "/help": SlashCommand("show the keys and the commands", _help, at_once=True),
    "/status": STATUS,
    "/panel": PANEL,
    "/open": OPEN,
    "/new": NEW,
    "/copy": COPY,
    "/undo": UNDO,
    "/redo": REDO,
    "/rewind": REWIND,
    "/fork": FORK,
    "/compact": COMPACT,
    "/model": MODEL,
    "/think": THINK,
    "/rules": RULES,
    "/mark": MARK,
    "/done": DONE,
    "/note": NOTE,
    "/speaker": SPEAKER,
    "/resume": RESUME,
    "/rename": RENAME,
    "/off": OFF,
    "/forget": FORGET,
    "/exit": EXIT,
}
"""In the order in which `/help` lists them."""


def make_commands(keys: Mapping[str, str]) -> SlashCommands:
    """Return the commands of a new prompt, whose `/help` shows these keys."""
    return SlashCommands(COMMANDS, keys)
