"""A file that the user names may lead to one without an end: it is refused within bounds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from recordings.errors import RecordingError
from recordings.export import pairs
from recordings.importing import conversations
from sii_cli.errors import UsageError
from sii_cli.reexecution.rules import load_rules

pytestmark = pytest.mark.hostile

ENDLESS = Path("/dev/zero")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_LARGEST", 1 << 20)
    monkeypatch.setattr(conversations, "_LONGEST", 1 << 20)


READERS: dict[str, Callable[[Path], object]] = {
    "pairs": pairs.read_pairs,
    "conversations": lambda path: list(conversations.read_conversations(path)),
    "rules": lambda path: load_rules([path]),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_file_without_an_end_is_refused_within_bounds(read: Callable[[Path], object]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((RecordingError, UsageError), match=r"longer than|is a device"):
            read(ENDLESS)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
