"""Choosing pairs of recordings: those that a file names, or an approved and a rejected one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import NamedTuple

import orjson

from recordings.conversation.fork import root_of
from recordings.conversation.rewind import rewind_of
from recordings.errors import UNREADABLE
from recordings.export.files import ExportFailed
from recordings.export.plan import ChosenPair, ChosenRecording
from recordings.samples.sample import LeftOut
from recordings.storage.opening import read_named

_LARGEST = 64 << 20
"""Bytes of a file of pairs."""


class NamedPair(NamedTuple):
    """A line of a file of pairs, as `sii batch` writes it."""

    chosen: str
    rejected: str
    because: str


def read_pairs(path: Path) -> list[NamedPair]:
    """Read a file of pairs, each once. Raises `ExportFailed` when a line is not a pair."""
    try:
        lines = read_named(path, _LARGEST).split(b"\n")
    except OSError as error:
        raise ExportFailed(f"{path} cannot be read: {error.strerror or error}.") from None
    pairs = [_named(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return list(dict.fromkeys(pairs))


def _named(path: Path, number: int, line: bytes) -> NamedPair:
    try:
        told = orjson.loads(line)
        pair = NamedPair(told["chosen"], told["rejected"], told.get("because", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        pair = None
    is_sound = pair is not None and all(isinstance(text, str) for text in pair)
    if pair is None or not is_sound or "" in (pair.chosen, pair.rejected):
        raise ExportFailed(
            f"Line {number} of {path} is not a pair: it needs the ids of two recordings, `chosen` "
            "and `rejected`, as `sii batch --keep` writes them."
        )
    return pair


def choose_pairs(
    named: Iterable[NamedPair],
    sources: Mapping[str, ChosenRecording],
    known: Collection[str],
    *,
    approved: bool,
) -> Iterator[ChosenPair | LeftOut]:
    """Yield the named pairs of the chosen recordings (`sources`, by id), and what is left out.

    `known`: all recordings that exist; `approved`: the better one must be approved.
    """
    for one in named:
        gone = [name for name in (one.chosen, one.rejected) if name not in known]
        chosen, rejected = sources.get(one.chosen), sources.get(one.rejected)
        if gone:
            detail = f"there is no recording {' and no recording '.join(gone)} here"
            yield LeftOut(one.chosen, "missing", detail, rejected=one.rejected)
        elif chosen is None or rejected is None:
            continue
        elif approved and chosen.approval != "approved":
            detail = f"it is {chosen.approval}"
            yield LeftOut(one.chosen, "unapproved", detail, rejected=one.rejected)
        else:
            yield ChosenPair(chosen, rejected, one.because)


def reviewed_pairs(sources: Iterable[ChosenRecording]) -> list[ChosenPair]:
    """Return each approved recording with each rejected one of the same family of forks, or of the
    same query in the same batch; and each approved one that its speaker continued from before a
    message because the model was wrong, with the one left. One that was left for another reason is
    not the worse of the two.
    """
    sources = list(sources)
    approved: defaultdict[tuple[str, ...], list[ChosenRecording]] = defaultdict(list)
    rejected: defaultdict[tuple[str, ...], list[ChosenRecording]] = defaultdict(list)
    for source in sources:
        for group in _groups(source):
            if source.approval == "approved":
                approved[group].append(source)
            elif source.approval == "rejected":
                rejected[group].append(source)
    rewinds = dict(_rewinds(sources))
    found = {
        (better.id, worse.id): ChosenPair(better, worse, "rejected")
        for group, those in approved.items()
        for better, worse in product(those, rejected[group])
        if not {(better.id, worse.id), (worse.id, better.id)} & rewinds.keys()
        or rewinds.get((better.id, worse.id)) == "wrong"
    }
    by_id = {source.id: source for source in sources}
    for (fork, parent), why in rewinds.items():
        better, worse = by_id[fork], by_id.get(parent)
        if why != "wrong" or worse is None:
            continue
        if better.approval == "approved" != worse.approval:
            found.setdefault((fork, parent), ChosenPair(better, worse, "rewind"))
    return list(found.values())


def _rewinds(sources: Iterable[ChosenRecording]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the fork, its parent and the reason of each that was made by going back."""
    for source in sources:
        if source.parent is not None:
            with suppress(*UNREADABLE):  # reported when its lines are checked
                found = rewind_of(source.folder)
                if found is not None:
                    yield (source.id, found[0]), found[1].why


def _groups(source: ChosenRecording) -> Iterator[tuple[str, ...]]:
    if source.approval in ("approved", "rejected"):
        with suppress(*UNREADABLE):  # reported when its lines are checked
            yield "family", root_of(source.folder)
        if source.batch is not None and source.query is not None:
            yield "query", source.batch, source.query
