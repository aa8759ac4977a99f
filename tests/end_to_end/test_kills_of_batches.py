"""Thirty kills of whole batches at random moments, each resumed: nothing lost or twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recordings.store.store import RecordingStore
from recordings.verify import verify
from sii_cli.batch.attempts import attempt_name_of
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.batch.recomputed import recomputed, reported
from tests.sii_cli.terminal import clean_environment

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("SII_TEST_KILLS", "30"))
ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.sii_cli.batch.sii_with_fake_sandboxes", "0.0"]
SCRIPTS = ("steps=3 solve=1", "steps=2", "say=loop", "steps=1 solve=2", "say=long")
CHECK = "test -f solved"
QUERIES = [{"id": f"q{n}", "query": SCRIPTS[n % 5], "check": CHECK} for n in range(40)]
ENDS_WITHIN = 300.0
GONE_WITHIN = 10.0


class Place:
    """A folder of its own for each batch that is begun."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.out = folder / "out"
        folder.mkdir()
        (folder / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in QUERIES))
        self._env = clean_environment() | {
            "SII_BASE_URL": url,
            "SII_HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
        }

    def start(self) -> subprocess.Popen[str]:
        """Begin the batch, or resume it."""
        is_begun = (self.out / "batch.json").exists()
        first = ("q.jsonl", "-n", "2", "--feedback-rounds", "1", "--out", "out")
        what = ("--resume", "out") if is_begun else first
        return subprocess.Popen(
            [*PROGRAM, "batch", *what, "--concurrency", "6"],
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def counted(self) -> Counter[str]:
        """How often each session has an outcome that counts."""
        found = RecordingStore(self.out / "recordings").list()
        return Counter(attempt_name_of(one) for one in found if one.outcome not in (None, "infra"))

    def check(self) -> None:
        """The batch has come to its end, with every session once and nothing left over."""
        wanted = {f"{one['id']}#{attempt}": 1 for one in QUERIES for attempt in (1, 2)}
        assert self.counted() == wanted
        assert reported(json.loads((self.out / "report.json").read_text())) == recomputed(self.out)
        for recording in RecordingStore(self.out / "recordings").list():
            assert verify(recording.folder).whole, recording.folder
        assert not list((self.out / "workspaces").glob("[!.]*"))
        names = {path.name for path in self.out.iterdir()}
        assert not {name for name in names if name.startswith(".") or name.endswith(".tmp")}, names


def running_in(folder: Path) -> Iterator[int]:
    """Processes that were started for what is in a folder."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (path / "environ").read_bytes():
                yield int(path.name)


def nothing_runs(folder: Path) -> None:
    until = time.monotonic() + GONE_WITHIN
    while left := list(running_in(folder)):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def ended(process: subprocess.Popen[str]) -> None:
    """Wait for a batch that nothing stops; what was given up for now is taken up by the caller."""
    _, told = process.communicate(timeout=ENDS_WITHIN)
    assert "Traceback" not in told, told


def test_a_batch_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    moments = random.Random("batch")
    kills = number = 0
    with in_a_thread(BatchServer(slow=0.005)) as server:
        while kills < KILLS:
            number += 1
            place = Place(tmp_path / str(number), server.base_url)
            before: Counter[str] = Counter()
            batch = place.start()
            while kills < KILLS:
                with suppress(subprocess.TimeoutExpired):
                    batch.wait(moments.uniform(0.0, 4.0))
                    break
                batch.kill()
                kills += 1
                ended(batch)
                nothing_runs(place.folder)
                now = place.counted() if place.out.is_dir() else Counter()
                assert set(now.values()) <= {1}
                assert before <= now, "an outcome was lost"
                before, batch = now, place.start()
            ended(batch)
            while batch.returncode != 0:
                batch = place.start()
                ended(batch)
            nothing_runs(place.folder)
            place.check()
