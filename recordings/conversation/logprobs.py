"""Log probabilities of generated ids, as the bytes of a blob."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from recordings.errors import RecordingDamaged
from recordings.events import Logprobs
from recordings.storage.blobs import read_blob

SIZE = 4
"""Bytes of one."""


def encode_logprobs(values: Sequence[float]) -> bytes:
    """Return log probabilities as 32-bit floats, little-endian."""
    return struct.pack(f"<{len(values)}f", *values)


def read_logprobs(folder: Path, logprobs: Logprobs) -> list[float]:
    """Return the log probabilities of a response of the recording in `folder`, one for each id.

    Raises `RecordingNotFound` without the blob, `RecordingDamaged` when it is not what was written.
    """
    data = read_blob(folder, logprobs.values)
    if len(data) % SIZE:
        raise RecordingDamaged(f"The blob {logprobs.values.sha256} does not hold 32-bit floats.")
    return list(struct.unpack(f"<{len(data) // SIZE}f", data))
