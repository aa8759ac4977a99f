"""The player: from `sii replay` to its first frame, and to the end of a long recording.

    python -m benchmarks.bench_replay [--runs 5] [--megabytes 200]

The floor of the first frame is Python itself in the same run; of the end, reading the log.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pexpect

from benchmarks.bench_start import SII, median, python
from benchmarks.figures import figure
from recordings.events import (
    ModelResponse,
    Observation,
    Permission,
    RoundEnd,
    SessionStart,
    ToolCall,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.storage.log import LOG
from recordings.store.store import RecordingStore

STEPS = 1000
HELP, ENDED = "q quit", "■"


def record(home: Path, megabytes: float) -> Path:
    """Write a session of 1,000 steps whose observations make up its size; return its folder."""
    name, folder = RecordingStore(home / "recordings").create_folder()
    line = "a line of output, as long as such lines are, and a little more of it\n"
    text = line * int(megabytes * 1e6 / STEPS / len(line))
    start = SessionStart.model_validate(
        dict.fromkeys(("sii_version", "workspace", "model", "base_url", "system_prompt"), "-")
        | {"mode": "headless", "tools": [], "tools_sha256": ""}
    )
    with patch("os.fdatasync"):
        recorder = Recorder.create(folder, name)
        recorder.record(start, "harness")
        recorder.record(UserMessage(round=1, text="Do it."), "human")
        for step in range(1, STEPS + 1):
            _record_step(recorder, step, text)
        recorder.record(RoundEnd(round=1, status="answered", steps=STEPS), "harness")
        recorder.close()
    return folder


def _record_step(recorder: Recorder, step: int, text: str) -> None:
    response = ModelResponse(
        step=step, attempt=1, content="Next.", finish_reason="tool_calls", complete=True
    )
    approval = Permission(by="mode", mode="auto")
    call = ToolCall(
        step=step, call_id="c", index=0, name="bash", arguments="{}", parsed={}, approval=approval
    )
    observed = Observation(step=step, call_id="c", name="bash", text=text, seconds=0.1)
    recorder.record(response, "model")
    recorder.record(call, "model")
    recorder.record(observed, "tool")


def play(home: Path) -> tuple[float, float, float]:
    """Return the seconds to the first frame, from there to the end, and the peak in megabytes."""
    env = os.environ | {"SII_HOME": str(home), "TERM": "xterm-256color"}
    began = time.perf_counter()
    child = pexpect.spawn(SII, ["replay", "last", "--step"], env=env, encoding="utf-8", timeout=120)
    child.delaybeforesend = None
    child.expect_exact(HELP)
    first = time.perf_counter() - began
    child.send("G")
    child.expect_exact(ENDED)
    end = time.perf_counter() - began - first
    status = Path(f"/proc/{child.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    child.close(force=True)
    return first, end, int(peak[1]) / 1e3 if peak else 0.0


def read(folder: Path) -> Callable[[], float]:
    def seconds() -> float:
        began = time.perf_counter()
        with open(folder / LOG, "rb") as log:
            for _ in log:
                pass
        return time.perf_counter() - began

    return seconds


def _times(seconds: float, floor: float, what: str) -> str:
    return f"{seconds * 1e3:6.0f} ms  ({seconds / floor:.1f}x {what})"


def main(runs: int, megabytes: float) -> None:
    floor = median(python, runs)
    print(f"python -c pass           {floor * 1e3:6.0f} ms")
    for size in (megabytes / 1000, megabytes):
        with tempfile.TemporaryDirectory() as home:
            folder = record(Path(home), size)
            lines = median(read(folder), runs)
            played = [play(Path(home)) for _ in range(runs + 1)][1:]
            first, end, peak = (statistics.median(values) for values in zip(*played, strict=True))
            figure(f"replay: first frame of {size:.1f} MB", first * 1e3, "ms", floor=floor * 1e3)
            figure(f"replay: to the end of {size:.1f} MB", end * 1e3, "ms", floor=lines * 1e3)
            figure(f"replay: memory at {size:.1f} MB", peak, "MB")
            for name, value in (
                (f"{size:.1f} MB, first frame", _times(first, floor, "python")),
                ("  to its end", _times(end, lines, "reading its lines")),
                ("  memory", f"{peak:6.0f} MB"),
            ):
                print(f"{name:<24} {value}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=200.0)
    arguments = parser.parse_args()
    main(arguments.runs, arguments.megabytes)
