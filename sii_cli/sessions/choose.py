"""Choosing a recorded session: by its name, its first message, or any word in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import click

from recordings.index.find import Filter, FoundRecording, find, search
from recordings.index.index import RecordingIndex
from recordings.index.names import name_in, names_of
from sii_cli.errors import UsageError
from sii_cli.options.filters import open_indexes
from sii_cli.options.settings import load_for_recordings
from sii_cli.options.times import ago
from sii_cli.prompt.picker import Picker, PickerRow
from sii_cli.prompt.plain.questions import chosen_row, list_lines
from sii_cli.session.sign_off import SignOff

MOST = 200
"""Recordings that are listed; a word finds the others."""
_HITS = 100


async def choose_session() -> str | None:
    """Let the user choose a recording of the home; return its id, or `None`.

    Raises `UsageError` when there is none, `SiiError`.
    """
    with open_indexes() as indexes:
        if not indexes:
            raise UsageError("There are no recordings yet: run `sii` first.")
        sessions = ChoosableSessions(indexes[0])
        row = await Picker("Resume a session", sessions.find, rename=sessions.rename).run()
    return None if row is None else row.key


async def session_rows() -> list[tuple[str, str, str]]:
    """Return (key, line, preview) of the sessions that can be resumed, the latest first."""
    with open_indexes() as indexes:
        if not indexes:
            raise UsageError("There are no recordings yet: run `sii` first.")
        found = await ChoosableSessions(indexes[0]).find("")
    return [(row.key, row.text, row.preview) for row in found]


async def choose_by_number() -> str | None:
    """Let the user choose a recording by its number, line by line; return its id, or `None`.

    Raises `UsageError` when there is none, `SiiError`.
    """
    rows = await session_rows()
    click.echo("\n".join(list_lines("Resume a session", rows)))
    click.echo("Its number · empty line leaves")
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):  # what follows is for the prompt
        line += byte
    return chosen_row(rows, line.decode("utf-8", "replace").strip())


@dataclass(frozen=True, slots=True)
class ChoosableSessions:
    """The sessions of a home that can be resumed."""

    index: RecordingIndex

    async def find(self, words: str) -> Sequence[PickerRow]:
        """Return those with the words in their name or first message, then in anything else."""
        root = self.index.store.root
        found = {one.summary.id: (one, "") for one in find(self.index, limit=MOST)}
        if words:
            found = {one.summary.id: (one, "") for one in self._titled(words)}
            for hit in search(self.index, words, limit=_HITS):
                if hit.id not in found:
                    (one,) = find(self.index, Filter(ids=(hit.id,))) or (None,)
                    if one is not None:
                        found[hit.id] = (one, f"{hit.kind}: {hit.snippet}")
        own = (pair for pair in found.values() if pair[0].summary.folder.parent == root)
        return [_row(one, snippet) for one, snippet in own]

    def rename(self, row: PickerRow, name: str) -> None:
        """Give a session a name. Raises `UsageError`, `RecordingError`."""
        settings = load_for_recordings({})
        SignOff(settings, self.index.store.root / row.key).rename(name)
        self.index.refresh()

    def _titled(self, words: str) -> list[FoundRecording]:
        named = [
            each for each, name in names_of(self.index).items() if words.lower() in name.lower()
        ]
        by_name = find(self.index, Filter(ids=tuple(named)), limit=MOST) if named else []
        return [*by_name, *find(self.index, Filter(text=words), limit=MOST)]


def _row(found: FoundRecording, snippet: str) -> PickerRow:
    summary = found.summary
    title = name_in(found.tags) or summary.first_message or summary.why or "–"
    tags = [f"#{tag}" for tag in found.tags if name_in([tag]) is None]
    outcome = summary.session_outcome or summary.state
    facts = f"{ago(summary.started):>10}  {outcome:<11} {summary.tokens:>9,} tokens"
    about = [f"{summary.id} · {summary.model} · {summary.rounds} rounds, {summary.steps} steps"]
    about += [snippet] if snippet else []
    about.append(summary.first_message)
    return PickerRow(summary.id, " ".join([facts, "", title, *tags]), "\n".join(about))
