"""Commands that users write themselves, as commands of the prompt."""

from __future__ import annotations

from sii_cli.prompt.own_commands import OwnCommand
from sii_cli.prompt.slash import SlashCommand, SlashPrompt, Words
from sii_cli.text.sanitise import one_line

ANY = Words("words", lambda words: True)


def slash_command(own: OwnCommand) -> SlashCommand:
    """Return the command: its text, with the words behind its name, is sent to the model."""

    async def run(prompt: SlashPrompt, words: str) -> None:
        if own.of_workspace and not await _is_allowed(prompt, own):
            return
        typed = f"{own.name} {words}".rstrip()
        await prompt.session.send(own.sent(words), typed=typed)

    return SlashCommand(one_line(own.help, 80), run, ANY)


async def _is_allowed(prompt: SlashPrompt, own: OwnCommand) -> bool:
    """Return whether the user allows this text of the workspace, now or earlier."""
    from recordings.trust.grants import grant, is_granted

    home = prompt.session.key_home
    if is_granted(home, "command", own.name, own.sha256):
        return True
    prompt.session.say(f"{own.name} is a text of the workspace:", *own.text.split("\n"))
    if await prompt.ask("Send such a text to the model, also later? y yes · Enter no", "y") != "y":
        return False
    grant(home, "command", own.name, own.sha256)
    return True
