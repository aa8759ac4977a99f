"""The runs of a batch: each `sii batch` that worked on it, and the time that it used.

The tokens of sessions are in their recordings. Hours are kept here alone; a killed run loses no
more than the last `KEEP_EVERY` seconds of its account.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from recordings.errors import MALFORMED, RecordingFailed
from recordings.storage.files import replace_file
from recordings.storage.opening import read_file
from sii_cli.errors import UsageError

RUNS = "runs.json"
KEEP_EVERY = 10.0
"""Seconds between writes of the account."""
_LARGEST = 16 << 20
"""Bytes."""
_BEYOND = 1e11
"""Every time in seconds and every count is below it."""
KILLED = "killed"
"""`Run.ended` of a run that was killed, or in the file of one that runs (`is_running`)."""
RUNNING = "running"
"""What is shown instead while it runs."""


@dataclass(slots=True)
class Run:
    """One run."""

    began: float
    """Seconds since the epoch, for display: the clock may be set meanwhile."""
    servers: list[str] = field(default_factory=list)
    concurrency: int = 1
    gpus: int = 1
    seconds: float = 0.0
    gpu_seconds: float = 0.0
    """Times GPUs; not while no server answered."""
    ended: str = KILLED
    """Why it stopped; empty: every attempt had ended."""


_RUNS = TypeAdapter(list[Run])


@dataclass(frozen=True, slots=True)
class BatchUsage:
    """What a batch has used, over all of its runs."""

    tokens: int = 0
    """Generated, also by sessions that do not count."""
    seconds: float = 0.0
    gpu_seconds: float = 0.0


@dataclass(slots=True)
class Account:
    """Adds up what a batch uses. Without a folder nothing is written."""

    run: Run
    folder: Path | None = None
    before: Sequence[Run] = ()
    tokens_before: int = 0
    clock: Callable[[], float] = time.monotonic
    _ticked: float | None = field(default=None, init=False)
    _kept: float = field(default=float("-inf"), init=False)

    def tick(self, *, served: bool) -> None:
        """Count the time since the last tick; `served`: a server answers."""
        now = self.clock()
        passed = now - (now if self._ticked is None else self._ticked)
        self._ticked = now
        self.run.seconds += passed
        if served:
            self.run.gpu_seconds += passed * self.run.gpus
        if now - self._kept >= KEEP_EVERY:
            self._kept = now
            self.keep()

    def spent(self, tokens: int) -> BatchUsage:
        """Return what all runs used; `tokens` are those of this one."""
        runs = (*self.before, self.run)
        return BatchUsage(
            self.tokens_before + tokens,
            sum(run.seconds for run in runs),
            sum(run.gpu_seconds for run in runs),
        )

    def keep(self) -> None:
        """Write the runs; a full disk is reported by the recordings, which matter more."""
        if self.folder is not None:
            runs = [asdict(run) for run in (*self.before, self.run)]
            with suppress(RecordingFailed):
                replace_file(self.folder, RUNS, json.dumps(runs, indent=2).encode() + b"\n")


def read_runs(folder: Path) -> list[Run]:
    """Return a batch's runs so far, the oldest first. Raises `UsageError`."""
    try:
        runs = _RUNS.validate_json(read_file(folder, RUNS, most=_LARGEST), strict=True)
        if not all(_is_sound(run) for run in runs):
            raise ValueError("a number that is too large")
    except FileNotFoundError:
        return []
    except (OSError, *MALFORMED) as error:
        raise UsageError(
            f"{folder / RUNS} is damaged: put it back as it was, or remove it to begin the account "
            "of hours again."
        ) from error
    return runs


def _is_sound(run: Run) -> bool:
    numbers = (run.seconds, run.gpu_seconds, run.concurrency, run.gpus)
    # Below 0 they would take back what other runs used, and no budget would ever be used up.
    return abs(run.began) < _BEYOND and all(0 <= number < _BEYOND for number in numbers)
