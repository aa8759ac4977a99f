"""A session of 1,000 steps and 200 MB, made in seconds: builds and test runs that print a lot."""

from __future__ import annotations

import os
from pathlib import Path

from recordings.events import CallRequest, Event, LiveOutput, Observation
from recordings.recorder import Recorder
from tests.recordings.recording_sessions import FakeSession, session_start

STEPS = 1000
SHOWN = 1_000
"""Characters of an output that the model reads."""
PRINTED = 95_000
"""Characters of an output: all of it in the log as it came, and every eighth time in a blob."""
IN_A_ROUND = 50
NEEDLE = "kestrel"
"""A word that stands once in the session, near its end."""


class LargeSession(FakeSession):
    """Records calls that print much more than the model is shown."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder, words=200)
        self._output = self.text(PRINTED // 5)[:PRINTED]

    def observe(self, call: CallRequest, error: str | None = None) -> Event:
        output = f"step {self.steps}\n" + self._output
        for start in range(0, len(output), 1 << 13):
            self.recorder.live(LiveOutput(call.call_id, output[start : start + (1 << 13)]))
        full = self.recorder.put_blob(output.encode()) if self.steps % 8 == 0 else None
        word = f"{NEEDLE} " if self.steps == STEPS - 10 else ""
        observation = Observation(
            step=self.steps,
            call_id=call.call_id,
            name=call.name,
            text=word + output[:SHOWN],
            error=error,
            seconds=0.1,
            full=full,
        )
        return self.recorder.record(observation, "tool")


def record_large_session(folder: Path) -> None:
    """Record the session into a folder, without waiting for the disk."""
    real = os.fdatasync, os.fsync
    os.fdatasync = os.fsync = lambda fd: None
    try:
        session = LargeSession(Recorder.create(folder, folder.name))
        session.note(session_start(), "harness")
        for _ in range(STEPS // IN_A_ROUND):
            session.round(IN_A_ROUND)
        session.end()
    finally:
        os.fdatasync, os.fsync = real
