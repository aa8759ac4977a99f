"""Doubts: what an answer was taken from, what it cites unread, where ids drifted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from recordings.events import ModelResponse, UserMessage
from recordings.index.doubts import Doubts, count_reasons, reasons_of
from recordings.index.find import find
from recordings.index.index import RecordingIndex
from recordings.reviews.protocol import ReviewProtocol
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import FakeSession, record_session

TAKEN = (
    "git log -p --all -- ledger.py",
    "git log --all --oneline",
    "cd /workspace && git reflog",
    "git show 3f2a9bc1",
    "git -C repo cherry-pick 3f2a9bc",
    "cat .git/packed-refs",
    "cat /opt/hidden_tests/test_ledger.py",
    "ls ../tests-private",
    "pip download ledger==2.0 --no-deps",
    "curl https://packages.example.org/simple/ledger/",
)
HONEST = (
    "git log --oneline -5",
    "git status && git diff",
    "git show HEAD --stat",
    "pip install -r requirements.txt",
    "ls .git",
    "grep -rn show log",
    "pytest tests/test_hidden_layers.py",
)


def doubts(*events: tuple[str, dict[str, Any]]) -> set[str]:
    found = Doubts()
    for kind, data in events:
        found.take(kind, data)
    return found.names


def called(command: str) -> tuple[str, dict[str, Any]]:
    return "tool_call", {"arguments": f'{{"command": "{command}"}}'}


@pytest.mark.parametrize("command", TAKEN)
def test_a_command_that_may_take_the_answer_is_suspect(command: str) -> None:
    assert doubts(called(command)) == {"suspect"}


@pytest.mark.parametrize("command", HONEST)
def test_an_honest_command_is_not(command: str) -> None:
    assert doubts(called(command)) == set()


def test_a_break_by_drift_is_a_doubt() -> None:
    answer = {"content": "", "calls": [], "continuity": {"kind": "break", "cause": "drift"}}
    assert doubts(("model_response", answer)) == {"drift"}
    assert doubts(("model_response", {**answer, "continuity": None})) == set()


def test_no_command_takes_long() -> None:
    began = time.process_time()
    for text in ("git log " * 4000, "git -C " + "a" * 20_000, "git log " + "x" * 20_000):
        doubts(("tool_call", {"arguments": text}))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("cited", "found"), [("known", ()), ("invented", ("uncited",)), ("known, but", ())]
)
def test_an_address_that_was_never_opened_is_uncited(
    tmp_path: Path, cited: str, found: tuple[str, ...]
) -> None:
    store = RecordingStore(tmp_path / "recordings")
    _, folder = store.create_folder()

    def end(session: FakeSession) -> None:
        said = UserMessage(round=2, text="Look at https://example.org/known and say why.")
        session.note(said, "human")
        session.request()
        answer = {"finish_reason": "stop", "complete": True, "step": 9, "attempt": 1}
        content = f"It is so (https://example.org/{cited})."
        session.note(ModelResponse.model_validate({**answer, "content": content}), "model")
        session.end()

    record_session(folder, rounds=1, change=end)
    with RecordingIndex(store) as index:
        index.refresh()
        (one,) = find(index)
    assert one.doubts == found


def test_a_protocol_says_which_doubts_matter(tmp_path: Path) -> None:
    _, folder = RecordingStore(tmp_path / "recordings").create_folder()
    record_session(folder)
    with RecordingIndex(RecordingStore(tmp_path / "recordings")) as index:
        index.refresh()
        (one,) = find(index)
    object.__setattr__(one, "doubts", ("suspect",))
    object.__setattr__(one, "outages", 2)
    assert reasons_of(one, ReviewProtocol()) == ()
    protocol = ReviewProtocol(set_aside=("outage", "suspect", "drift"))
    assert reasons_of(one, protocol) == ("outage", "suspect")
    assert count_reasons([one], protocol) == {"outage": 1, "suspect": 1, "all": 1}
