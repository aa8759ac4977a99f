"""The command that says who types."""

from __future__ import annotations

from dataclasses import replace

from sii_cli.prompt.slash import NotDone, SlashCommand, SlashPrompt, Words

LONGEST = 100
"""Characters of a pseudonym."""


async def _speaker(prompt: SlashPrompt, words: str) -> None:
    from sii_cli.prompt.consent import ask_consent
    from sii_cli.prompt.going_back import or_not_done

    session = prompt.session
    if not words:
        session.say(f"The speaker is {session.settings.speaker or 'not named'}.")
        return
    if len(words) > LONGEST:
        raise NotDone(f"A pseudonym has at most {LONGEST} characters: use a shorter one.")
    settings = replace(session.settings, speaker=words)
    await or_not_done(ask_consent(settings, prompt.ask, session.say))
    assert session.opened is not None, "commands wait for the session"
    await or_not_done(session.opened.change_speaker(settings))
    session.settings = settings
    session.say(f"From here on {words} speaks: each message carries the name.")


SPEAKER = SlashCommand(
    "say who types from here on, by a pseudonym; without one: who does now",
    _speaker,
    Words("a pseudonym, or nothing", lambda words: len(words.split()) < 2),
)
