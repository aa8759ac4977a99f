"""Who replies: the speaker of the settings, who is asked for consent before the first reply."""

from __future__ import annotations

import sys

import click

from recordings.trust.consents import find_consent
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.options.settings import load_for_recordings
from sii_cli.review.verdicts import find_reviewer


def replying_settings(speaker: str | None) -> Settings:
    """Return the settings of the person who replies. Raises `UsageError`, `RecordingError`."""
    return load_for_recordings({"speaker": find_reviewer(speaker)})


def ask_for_consent(settings: Settings) -> None:
    """Ask in the terminal what may be done with the person's words, once in a home.

    Raises `UsageError` where nobody can be asked, or no answer was given; `ConsentsUnusable`,
    `RecordingFailed`.
    """
    import asyncio

    from sii_cli.prompt.consent import ask_consent

    if has_consent(settings):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{settings.speaker} was not asked yet what may be done with the sessions: run "
            "`sii inbox` in a terminal once."
        )
    asyncio.run(ask_consent(settings, _ask, lambda *lines: click.echo("\n".join(lines), err=True)))
    if not has_consent(settings):
        raise UsageError("Nothing is recorded of you before you have answered.")


def has_consent(settings: Settings) -> bool:
    """Return whether the person was asked. Raises `ConsentsUnusable`."""
    assert settings.speaker is not None
    return find_consent(settings.key_home or settings.home, settings.speaker) is not None


async def _ask(text: str, keys: str) -> str | None:
    """Ask for one key, in a line."""
    click.echo(f"{text} › ", err=True, nl=False)
    answer = sys.stdin.readline().strip().lower()
    return answer if answer and answer in keys else None
