"""What a machine of a cluster sends home is this home's only where it is what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recordings.events import SessionResume
from recordings.trust.home_key import home_key
from recordings.trust.origin import origin_of
from sii_cli.batch.sessions.received import seal_received
from sii_cli.session.events import QueryOrigin
from tests.recordings.recording_sessions import FakeSession, record_session

pytestmark = pytest.mark.hostile

ABOUT = QueryOrigin(query="q1", batch="monday", attempt=2, variant={"seed": 3}, tags=["hard"])
FACTS: dict[str, Any] = {
    "mode": "batch",
    "workspace": "/tmp/sii-batch-gone/workspace",
    "query": "q1",
    "batch": "monday",
    "attempt": 2,
    "variant": {"seed": 3},
    "tags": ["hard"],
}


def brought(tmp_path: Path, change: Callable[[FakeSession], None], **facts: Any) -> Path:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()
    record_session(folder, rounds=1, change=change, **(FACTS | facts))
    return folder


def test_the_session_that_was_sent_is_own(tmp_path: Path) -> None:
    folder = brought(tmp_path, FakeSession.end)
    assert seal_received(folder, ABOUT, home_key(tmp_path))
    assert origin_of(folder, tmp_path) == "own"


@pytest.mark.parametrize(
    "facts",
    [
        {"query": "q2"},
        {"batch": "other"},
        {"attempt": 1},
        {"variant": {}},
        {"mode": "interactive"},
        {"workspace": "/etc"},
        {"tags": ["gold"]},
    ],
)
def test_another_session_stays_foreign(tmp_path: Path, facts: dict[str, Any]) -> None:
    folder = brought(tmp_path, FakeSession.end, **facts)
    assert not seal_received(folder, ABOUT, home_key(tmp_path))
    assert origin_of(folder, tmp_path) == "foreign"


def test_one_that_went_on_elsewhere_stays_foreign(tmp_path: Path) -> None:
    def go_on(session: FakeSession) -> None:
        resumed = SessionResume(
            sii_version="0",
            model="m",
            base_url="http://m",
            settings={"workspace": "/etc"},
            lost="nothing",
        )
        session.note(resumed, "harness")
        session.end()

    folder = brought(tmp_path, go_on)
    assert not seal_received(folder, ABOUT, home_key(tmp_path))


def test_a_damaged_one_stays_foreign(tmp_path: Path) -> None:
    folder = brought(tmp_path, FakeSession.end)
    log = folder / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"You are an agent", b"You are not agent"))
    assert not seal_received(folder, ABOUT, home_key(tmp_path))
