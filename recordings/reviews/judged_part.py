"""Which part of a recording somebody has judged already, in it or in what it was forked from.

The hash of a line proves all lines before it. So a verdict, which has the hash of the last line of
its time, also holds for every recording that begins with the same lines, up to there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path

from recordings.conversation.fork import ancestors
from recordings.reviews.review import Review
from recordings.storage.log import read_checked_lines


def judged_until(
    folder: Path,
    reviewer: str,
    reviews_of: Callable[[Path], Iterable[Review]],
    folder_of: Callable[[str], Path | None],
) -> int | None:
    """Return the last event up to which a reviewer has judged a recording, or `None`.

    `reviews_of` returns the reviews of a folder that count; `folder_of` the folder of another
    recording by its id, or `None` where it is not here. Raises `RecordingError`.
    """
    chain: list[str] = []  # read only where there is a verdict: a log may be large
    found = -1
    for name in {folder.name, *ancestors(folder)}:
        other = folder if name == folder.name else folder_of(name)
        if other is None:
            continue
        judged = {
            review.sha256
            for review in reviews_of(other)
            if review.reviewer == reviewer and review.verdict is not None
        }
        if not judged:
            continue
        chain = chain or _chain(folder)
        its = chain if other == folder else _chain(other)
        seen = max((seq for seq, sha256 in enumerate(its) if sha256 in judged), default=-1)
        shared = sum(
            1 for _ in takewhile(lambda two: two[0] == two[1], zip(chain, its, strict=False))
        )
        found = max(found, min(seen, shared - 1))
    return found if found >= 0 else None


def _chain(folder: Path) -> list[str]:
    """Return the hash of each line."""
    return [sha256 for _, sha256 in read_checked_lines(folder)]
