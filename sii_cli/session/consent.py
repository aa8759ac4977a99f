"""The consent of a session's speaker, as an event."""

from __future__ import annotations

from recordings.events import Consent
from recordings.trust.consents import find_consent
from sii_cli.config.settings import Settings


def consent_event(settings: Settings) -> Consent | None:
    """Return what the speaker has answered in this home, or that nobody was asked.

    `None` without a speaker: nobody is named who could be asked. Raises `ConsentsUnusable`.
    """
    if settings.speaker is None:
        return None
    given = find_consent(settings.key_home or settings.home, settings.speaker)
    if given is None:
        return Consent(speaker=settings.speaker, asked=False)
    return Consent(
        speaker=given.speaker,
        asked=True,
        training=given.training,
        leaves_team=given.leaves_team,
        license=given.license,
        text_sha256=given.text_sha256,
        answered=given.answered,
    )
