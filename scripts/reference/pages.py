"""All generated pages: as the code says now, and as they stand in `docs/reference`."""

from __future__ import annotations

from pathlib import Path

from scripts.reference import (
    commands,
    events,
    exports,
    models,
    outcomes,
    queries,
    reviews,
    settings,
)
from scripts.reference.markdown import NOTICE

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def all_pages() -> dict[str, str]:
    """Return the text of each page by its path below `FOLDER`."""
    subjects = (commands, events, exports, models, outcomes, queries, reviews, settings)
    return {name: text for subject in subjects for name, text in subject.pages().items()}


def written_pages() -> dict[str, str]:
    """Return the pages that were generated before, in the same form."""
    return {
        str(path.relative_to(FOLDER)): text
        for path in FOLDER.rglob("*.md")
        if (text := path.read_text("utf-8")).startswith(NOTICE)
    }
