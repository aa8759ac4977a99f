"""All generated pages."""

from __future__ import annotations

from pathlib import Path

from scripts.reference import commands, events, exports, models, outcomes, queries, settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def all_pages() -> dict[str, str]:
    """Return the text of each page by its path below `FOLDER`."""
    subjects = (commands, events, exports, models, outcomes, queries, settings)
    return {name: text for subject in subjects for name, text in subject.pages().items()}
