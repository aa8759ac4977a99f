"""Which recordings may be exported by the consent of their speakers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from recordings.conversation.authors import authors_of
from recordings.errors import UNREADABLE
from recordings.export.plan import ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.trust.consents import (
    LEAST_FIRST,
    RecordedConsent,
    recorded_consents,
    refusing,
    staying,
    withdrawn,
)
from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import warn
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line

STAYS = " does not let it leave the team"


def tell_staying(refused: list[LeftOut]) -> None:
    """Say how many recordings were left out because they may not leave the team, and whose."""
    stay = [left for left in refused if left.detail.endswith(STAYS)]
    if not stay:
        return
    names = sorted({one_line(left.detail.removesuffix(STAYS), 60) for left in stay})
    warn(
        f"Left out: {counted(len(stay), 'recording', 'recordings')} that may not leave the team "
        f"({', '.join(names)}). `--within-team` exports them for the team itself."
    )


def consented(
    sources: list[ChosenRecording], *, within_team: bool
) -> tuple[list[ChosenRecording], list[LeftOut]]:
    """Return the recordings whose speakers consent, and the others as left out.

    `within_team`: the export does not leave the team. A recording that says nothing of consent, or
    whose speaker was not asked, is kept: the card counts it.
    Raises `ConsentsUnusable`.
    """
    home = find_key_home(os.environ)
    gone, against, stays = withdrawn(home), refusing(home), staying(home)
    kept: list[ChosenRecording] = []
    refused: list[LeftOut] = []
    for source in sources:
        said = recorded_consents(source.folder)
        authors: set[str] = set()
        if gone | against | stays:
            with suppress(*UNREADABLE):  # reported when its lines are checked
                authors = authors_of(source.folder)
        if by := gone & authors:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} has withdrawn"))
        elif by := (against & authors) | _who(said, "refused"):
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} does not consent"))
        elif (by := (stays & authors) | _who(said, "within_team")) and not within_team:
            refused.append(LeftOut(source.id, "no_consent", min(by) + STAYS))
        else:
            least = next((one for one in LEAST_FIRST if one in said.values()), None)
            kept.append(replace(source, consent=least))
    return kept, refused


def _who(said: Mapping[str, RecordedConsent], answer: RecordedConsent) -> set[str]:
    return {name for name, one in said.items() if one == answer}
