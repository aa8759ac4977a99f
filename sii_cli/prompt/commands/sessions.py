"""Commands that show, begin and leave sessions."""

from __future__ import annotations

from sii_cli.prompt.slash import NotDone, SlashCommand, SlashPrompt, Words

LONGEST_COPY = 50_000
"""Characters: terminals ignore a longer clipboard."""


async def _status(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.status()


def _copy(prompt: SlashPrompt, words: str) -> None:
    session = prompt.session
    answer = session.activity.answer
    if not answer:
        raise NotDone("There is no answer to copy yet.")
    if len(answer) > LONGEST_COPY:
        raise NotDone(f"The answer has more than {LONGEST_COPY:,} characters: `sii show` has it.")
    session.copy(answer)
    session.say("Copied, if the terminal allows it (OSC 52).")


async def _new(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.new()
    prompt.session.say("A new session begins.")


async def _resume(prompt: SlashPrompt, words: str) -> None:
    await prompt.resume(words)


async def _rename(prompt: SlashPrompt, words: str) -> None:
    parts = words.split()
    tags = [part[1:] for part in parts if part.startswith("#") and len(part) > 1]
    await prompt.session.sign_off.rename(" ".join(part for part in parts if part[0] != "#"), tags)


async def _exit(prompt: SlashPrompt, words: str) -> None:
    await prompt.ask_whether_done()
    prompt.leave()


async def _off(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.end_recording()


async def _forget(prompt: SlashPrompt, words: str) -> None:
    await prompt.session.forget(prompt.ask, with_forks=bool(words))


OFF = SlashCommand(
    "end the recording after the running step, and go on without one; /new records again",
    _off,
    at_once=True,
)
FORGET = SlashCommand(
    "delete this recording for good, after asking (/forget forks: its forks, too)",
    _forget,
    Words("nothing, or `forks`", lambda words: words in ("", "forks")),
)
STATUS = SlashCommand(
    "show the session, the server, the sandbox, and what fills the context", _status, at_once=True
)
COPY = SlashCommand("copy the last answer to the terminal's clipboard", _copy, at_once=True)
NEW = SlashCommand("begin a new session", _new)
EXIT = SlashCommand("leave", _exit, at_once=True, needs_session=False)
RESUME = SlashCommand(
    "resume another session: chosen from a list, or by its id",
    _resume,
    Words("nothing, or an id", lambda words: len(words.split()) < 2),
)
RENAME = SlashCommand("name the session; words with # are tags", _rename, Words("a name or #tags"))
