"""Which recordings may be exported by the consent of their speakers."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace

from recordings.conversation.authors import authors_of
from recordings.errors import UNREADABLE
from recordings.export.plan import ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.trust.consents import recorded_consent, withdrawn
from sii_cli.config.settings import find_key_home


def consented(
    sources: list[ChosenRecording],
) -> tuple[list[ChosenRecording], list[LeftOut]]:
    """Return the recordings whose speakers consent, and the others as left out.

    Raises `ConsentsUnusable`.
    """
    gone = withdrawn(find_key_home(os.environ))
    kept: list[ChosenRecording] = []
    refused: list[LeftOut] = []
    for source in sources:
        consent = recorded_consent(source.folder)
        by: frozenset[str] = frozenset()
        if gone:
            with suppress(*UNREADABLE):  # reported when its lines are checked
                by = gone & authors_of(source.folder)
        if by:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} has withdrawn"))
        elif consent == "refused":
            refused.append(LeftOut(source.id, "no_consent", "its speaker does not consent"))
        else:
            kept.append(replace(source, consent=consent))
    return kept, refused
