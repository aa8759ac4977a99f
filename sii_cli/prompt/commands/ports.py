"""The command that shows an app of the sandbox in a browser."""

from __future__ import annotations

from recordings.errors import RecordingError
from sii_cli.errors import UsageError
from sii_cli.prompt.slash import NotDone, SlashCommand, SlashPrompt, Words


def _is_port(words: str) -> bool:
    return words.isdecimal() and len(words) < 6 and 0 < int(words) < 1 << 16


async def _open(prompt: SlashPrompt, words: str) -> None:
    session = prompt.session.opened
    assert session is not None
    try:
        link = await session.open_port(int(words))
    except (UsageError, RecordingError, OSError) as error:
        raise NotDone(str(error)) from None
    prompt.session.say(f"Port {words} of the sandbox, for one browser on this machine: {link}")


OPEN = SlashCommand(
    "show an app of the sandbox in your browser: /open 8000 shows what listens on that port",
    _open,
    Words("the number of a port", _is_port),
    at_once=True,
)
