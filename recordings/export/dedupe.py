"""Finding duplicate examples: exact ones by hash, near ones by MinHash."""

from __future__ import annotations

import hashlib
import heapq
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator

from recordings.export.files import dumps
from recordings.export.pair_samples import Pair
from recordings.samples.sample import Sample

PIECE = 8
"""Ids (or words) that are hashed together."""
SKETCH = 128
"""Smallest hashes that are kept of a sample."""
NEAR = 0.8
"""Jaccard similarity (estimated) from which two samples are near-duplicates."""


class Duplicates:
    """Remembers examples by a hash, and by a sketch of what is trained in them."""

    def __init__(self) -> None:
        self._exact: dict[bytes, str] = {}
        self._holders: dict[int, list[int]] = {}
        """Examples, by each hash in their sketches."""
        self._names: list[str] = []
        self._sketches: list[set[int]] = []

    def find_exact(self, example: Sample | Pair) -> str | None:
        """Return the first example with the same ids or messages; remember this one."""
        digest = hashlib.sha256(b"".join(map(_digest, example.samples))).digest()
        first = self._exact.setdefault(digest, example.id)
        return None if first == example.id else first

    def find_near(self, example: Sample | Pair) -> tuple[str, float] | None:
        """Return the most similar example so far, if it is near; remember this one."""
        sketch = _sketch([one for sample in example.samples for one in _trained(sample)])
        shared = Counter(holder for piece in sketch for holder in self._holders.get(piece, ()))
        number = len(self._names)
        self._names.append(example.id)
        self._sketches.append(sketch)
        for piece in sketch:
            self._holders.setdefault(piece, []).append(number)
        near = [
            (_likeness(sketch, self._sketches[other]), -other)
            for other, count in shared.items()
            if count >= NEAR * len(sketch) / 2
        ]
        likeness, other = max(near, default=(0.0, 0))
        return (self._names[-other], likeness) if likeness >= NEAR else None


def _digest(sample: Sample) -> bytes:
    if sample.ids:
        said = array("q", sample.ids).tobytes()
    else:
        said = dumps([turn.message for turn in sample.turns])
    return hashlib.sha256(said).digest()


def _trained(sample: Sample) -> list[int]:
    """Return what is trained, as numbers: the trained ids, or hashes of words without ids."""
    if sample.ids:
        spans = (span for span in sample.spans if span.trained)
        return [one for span in spans for one in sample.ids[span.start : span.end]]
    return [zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in _words(sample)]


def _words(sample: Sample) -> Iterator[str]:
    for turn in sample.turns:
        if turn.trained:
            for text in turn.texts():
                yield from text.split()


def _sketch(numbers: list[int]) -> set[int]:
    data = memoryview(array("q", numbers).tobytes())
    pieces = range(max(1, len(numbers) - PIECE + 1))
    hashes = {zlib.crc32(data[8 * at : 8 * (at + PIECE)]) for at in pieces}
    return set(heapq.nsmallest(SKETCH, hashes))


def _likeness(left: set[int], right: set[int]) -> float:
    """Estimate the share of pieces that two samples have in common."""
    least = heapq.nsmallest(SKETCH, left | right)
    return sum(one in left and one in right for one in least) / len(least)
