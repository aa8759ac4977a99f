"""Finding a recording by its id, or the beginning of one, in one store or over several."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.errors import RecordingNotFound

if TYPE_CHECKING:
    from recordings.store.store import RecordingStore

LAST = "last"
_FEW = 5
"""Most ids that are named when a prefix fits several."""


def resolve(ref: str, stores: Sequence[RecordingStore]) -> Path:
    """Return the folder of a recording by its id, a unique beginning of it, its path, or `last`.

    Raises `RecordingNotFound`, also for an id that is in two places.
    """
    if "/" in ref:
        path = Path(ref)
        parent = os.path.realpath(path.parent)
        stores = [store for store in stores if os.path.realpath(store.root) == parent]
        if not stores:
            raise _unknown(ref)
        ref = path.name
    elif ref == LAST:
        return _newest(stores)
    named = _newest_names(stores)
    found = [store.root / name for name, store in named if name == ref and store.has(name)] or [
        store.root / name
        for name, store in named
        if ref and name.startswith(ref) and store.has(name)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        _newest(stores)  # the other sentence where there are none at all
        raise _unknown(ref)
    raise RecordingNotFound(_ambiguous(ref, found))


def newest_first(stores: Sequence[RecordingStore]) -> Iterator[Path]:
    """Yield the folders of all recordings, the newest first."""
    return (store.root / name for name, store in _newest_names(stores) if store.has(name))


def _newest_names(stores: Sequence[RecordingStore]) -> list[tuple[str, RecordingStore]]:
    named = [(name, store) for store in stores for name in store.names()]
    return sorted(named, key=lambda one: one[0], reverse=True)


def _newest(stores: Sequence[RecordingStore]) -> Path:
    newest = next(newest_first(stores), None)
    if newest is None:
        where = stores[0].root
        raise RecordingNotFound(f"There are no recordings in {where} yet: run `sii` first.")
    return newest


def _unknown(ref: str) -> RecordingNotFound:
    return RecordingNotFound(f"No recording is called {ref[:80]!r}: `sii list` shows all.")


def _ambiguous(ref: str, found: Sequence[Path]) -> str:
    """Return the sentence about several recordings; those with the same id are named by path."""
    ids = sorted({folder.name for folder in found}, reverse=True)
    if len(ids) == 1:
        places = " and ".join(str(folder) for folder in found[:_FEW])
        return f"{len(found)} recordings are called {ids[0]}: give the path of one ({places})."
    named = ", ".join(ids[:_FEW]) + (", …" if len(ids) > _FEW else "")
    return f"{len(ids)} recordings begin with {ref[:80]!r} ({named}): give more of the id."
