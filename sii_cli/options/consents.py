"""Which recordings may be exported by the consent of their speakers."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from recordings.conversation.authors import authors_of
from recordings.errors import UNREADABLE
from recordings.export.plan import ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.trust.consents import recorded_consent, refusing, withdrawn
from sii_cli.config.settings import find_key_home


def consented(
    sources: list[ChosenRecording],
) -> tuple[list[ChosenRecording], list[LeftOut]]:
    """Return the recordings whose speakers consent, and the others as left out.

    Raises `ConsentsUnusable`.
    """
    home = find_key_home(os.environ)
    gone, against = withdrawn(home), refusing(home)
    kept: list[ChosenRecording] = []
    refused: list[LeftOut] = []
    for source in sources:
        consent = recorded_consent(source.folder)
        authors: set[str] = set()
        if gone or against:
            with suppress(*UNREADABLE):  # reported when its lines are checked
                authors = authors_of(source.folder)
        if by := gone & authors:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} has withdrawn"))
        elif by := against & authors:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} does not consent"))
        elif consent == "refused":
            refused.append(LeftOut(source.id, "no_consent", "its speaker does not consent"))
        else:
            kept.append(replace(source, consent=consent))
    return kept, refused
