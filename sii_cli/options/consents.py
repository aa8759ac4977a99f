"""Which recordings may be exported by the consent of their speakers."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from recordings.conversation.authors import authors_of
from recordings.conversation.restore import restore
from recordings.errors import UNREADABLE
from recordings.export.plan import ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.trust.consents import recorded_consent, refusing, staying, withdrawn
from sii_cli.config.settings import find_key_home
from sii_cli.options.recordings import warn
from sii_cli.render.figures import counted
from sii_cli.text.sanitise import one_line

STAYS = " does not let it leave the team"
ITS_SPEAKER = "its speaker"


def tell_staying(refused: list[LeftOut], sources: list[ChosenRecording]) -> None:
    """Say how many recordings were left out because they may not leave the team, and whose."""
    whose = {
        left.recording: left.detail.removesuffix(STAYS)
        for left in refused
        if left.detail.endswith(STAYS)
    }
    if not whose:
        return
    folders = {source.id: source.folder for source in sources}
    names = [
        _speaker(folders[name]) if by == ITS_SPEAKER else one_line(by, 60)
        for name, by in whose.items()
    ]
    speakers = sorted(filter(None, names))
    warn(
        f"Left out: {counted(len(whose), 'recording', 'recordings')} that may not leave the team "
        f"({', '.join(dict.fromkeys(speakers))}). `--within-team` exports them for the team itself."
    )


def _speaker(folder: Path) -> str:
    return one_line(restore(folder, 0).start.speaker or "", 60)


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
        consent = recorded_consent(source.folder)
        authors: set[str] = set()
        if gone | against | stays:
            with suppress(*UNREADABLE):  # reported when its lines are checked
                authors = authors_of(source.folder)
        if by := gone & authors:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} has withdrawn"))
        elif by := against & authors:
            refused.append(LeftOut(source.id, "no_consent", f"{min(by)} does not consent"))
        elif consent == "refused":
            refused.append(LeftOut(source.id, "no_consent", "its speaker does not consent"))
        elif consent == "within_team" and not within_team:
            refused.append(LeftOut(source.id, "no_consent", ITS_SPEAKER + STAYS))
        elif (by := stays & authors) and not within_team:
            refused.append(LeftOut(source.id, "no_consent", min(by) + STAYS))
        else:
            kept.append(replace(source, consent=consent))
    return kept, refused
