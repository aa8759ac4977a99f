"""Asks the speaker, once in a home, what may be done with the sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from recordings.trust.consents import (
    QUESTIONS,
    TEXT,
    TEXT_SHA256,
    GivenConsent,
    find_consent,
    keep_consent,
)
from sii_cli.config.settings import Settings

LICENSES = {"1": "CC-BY-4.0", "2": "CC0-1.0", "3": "Apache-2.0", "n": None}
Ask = Callable[[str, str], Awaitable[str | None]]
"""(text, keys) → the key that was pressed, or `None`."""


async def ask_consent(settings: Settings, ask: Ask, say: Callable[..., None]) -> None:
    """Ask three questions, each answered by one key; a skipped one is asked again next time.

    Raises `ConsentsUnusable`, `RecordingFailed`.
    """
    speaker, home = settings.speaker, settings.key_home or settings.home
    if speaker is None or await asyncio.to_thread(find_consent, home, speaker) is not None:
        return
    say(*TEXT, f"Three questions to {speaker}, once in this home; Enter leaves them for later.")
    train, give, license_ = QUESTIONS
    training = await ask(f"{train} y yes · n no", "yn")
    if training is None:
        return
    leaves = await ask(f"{give} y yes · n no", "yn") if training == "y" else "n"
    offered = " · ".join(f"{key} {name or 'none named'}" for key, name in LICENSES.items())
    chosen = await ask(f"{license_} {offered}", "".join(LICENSES)) if leaves == "y" else "n"
    if leaves is None or chosen is None:
        return
    given = GivenConsent(
        speaker=speaker,
        training=training == "y",
        leaves_team=leaves == "y",
        license=LICENSES[chosen],
        text_sha256=TEXT_SHA256,
        answered=round(time.time(), 3),
    )
    await asyncio.to_thread(keep_consent, home, given)
    say(f"Kept. `sii withdraw --speaker {speaker}` takes it back for all later exports.")
