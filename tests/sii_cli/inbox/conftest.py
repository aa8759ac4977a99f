"""The place in which the tests of the inbox work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.inbox.place import InboxPlace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InboxPlace]:
    with in_a_thread(BatchServer()) as server:
        yield InboxPlace(tmp_path, server, monkeypatch)
