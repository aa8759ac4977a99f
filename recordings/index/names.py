"""Names of recordings: a name is a tag that begins with `name:`."""

from __future__ import annotations

from collections.abc import Iterable

from recordings.index.index import RecordingIndex

_BEGINNING = "name:"


def name_tag(name: str) -> str:
    """Return the tag that gives a recording a name."""
    return _BEGINNING + name


def name_in(tags: Iterable[str]) -> str | None:
    """Return the name that is among a recording's tags."""
    return next((tag[len(_BEGINNING) :] for tag in tags if tag.startswith(_BEGINNING)), None)


def names_of(index: RecordingIndex) -> dict[str, str]:
    """Return the names of a home's recordings, by id."""
    rows = index.db.execute(
        "SELECT r.id, t.tag FROM tags t JOIN recordings r USING (number) WHERE t.tag GLOB ?",
        (_BEGINNING + "*",),
    )
    return {name: tag[len(_BEGINNING) :] for name, tag in rows}
