"""Commands that show, begin and leave sessions."""

from __future__ import annotations

from sii_cli.prompt.slash import SlashCommand, SlashPrompt


def _status(prompt: SlashPrompt, words: str) -> None:
    prompt.session.status()


async def _new(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.new()
    prompt.session.say("A new session begins.")


async def _exit(prompt: SlashPrompt, words: str) -> None:
    await prompt.ask_whether_done()
    prompt.leave()


STATUS = SlashCommand(
    "show the session, the server, the sandbox and the tokens used", _status, at_once=True
)
NEW = SlashCommand("begin a new session", _new)
EXIT = SlashCommand("leave", _exit, at_once=True, needs_session=False)
