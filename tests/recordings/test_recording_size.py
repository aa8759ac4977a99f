"""A recording grows linearly with what was said, and is not much more than that."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings import recorder as recorder_module
from recordings.conversation.restore import restore
from recordings.recorder import Recorder
from recordings.storage.log import LOG
from tests.recordings.recording_sessions import FakeSession, session_start
from tests.recordings.recording_size import size_ratio


class Clock:
    """Text streams at a hundred pieces a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 0.01
        return self.now

    def time(self) -> float:
        return 1.7e9 + self.now


def record(folder: Path, steps: int) -> None:
    folder.mkdir()
    session = FakeSession(Recorder.create(folder, folder.name), words=550)
    session.note(session_start(), "harness")
    session.round(steps)
    session.end()


def test_ninety_steps_and_100k_tokens_take_less_than_three_times_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "time", Clock())
    record(tmp_path / "half", 45)
    record(tmp_path / "whole", 90)
    assert len(restore(tmp_path / "whole").trail) > 95_000
    assert size_ratio(tmp_path / "whole") < 3
    half, whole = (float((tmp_path / name / LOG).stat().st_size) for name in ("half", "whole"))
    assert whole < 2.2 * half
