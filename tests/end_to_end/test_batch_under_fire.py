"""A weekend in half a minute: a batch in real sandboxes while everything under it is killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import docker
import pytest

from recordings.store.store import RecordingStore
from recordings.verify import verify
from sandbox.docker.leftovers import OWNER_LABEL, owner_pid
from sii_cli.batch.attempts import attempt_name_of
from tests.fakes.killed_server import served
from tests.sii_cli.batch.recomputed import recomputed, reported
from tests.sii_cli.terminal import clean_environment

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SECONDS = 30.0
SCRIPTS = ("steps=2 solve=1", "steps=3", "say=loop", "steps=1 solve=2", "say=long")
CHECK = "test -f solved || { echo there is no file solved; exit 3; }"


def containers() -> list[tuple[str, int | None]]:
    """Ids of all sandboxes and the processes that own them."""
    found = docker.APIClient().containers(all=True, filters={"label": OWNER_LABEL})
    return [(box["Id"], owner_pid(box["Labels"][OWNER_LABEL])) for box in found]


def start_batch(folder: Path, url: str) -> subprocess.Popen[bytes]:
    """Begin the batch in a folder, or resume it."""
    is_begun = (folder / "out" / "batch.json").exists()
    first = ("q.jsonl", "-n", "2", "--feedback-rounds", "1", "--out", "out")
    what = ("--resume", "out") if is_begun else first
    return subprocess.Popen(
        [sys.executable, "-m", "sii_cli.main", "batch", *what, "--concurrency", "6"],
        cwd=folder,
        env=clean_environment()
        | {"SII_BASE_URL": url, "SII_HOME": str(folder / "home")}
        | {"SII_RETRIES": "1", "SII_IDLE_TIMEOUT": "2"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_whatever_is_killed_every_session_is_accounted_for_once(tmp_path: Path) -> None:
    queries = [{"id": f"q{n}", "query": SCRIPTS[n % 5], "check": CHECK} for n in range(25)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in queries))
    pids: set[int] = set()
    with served(faults=0.03, slow=0.005) as (server, url):

        def begin() -> subprocess.Popen[bytes]:
            process = start_batch(tmp_path, url)
            pids.add(process.pid)
            return process

        batch = begin()
        until = time.monotonic() + SECONDS
        while batch.poll() is None and time.monotonic() < until:
            time.sleep(random.uniform(0.3, 1.5))
            match random.choice(("batch", "sandbox", "sandbox", "server", "interrupt")):
                case "batch":
                    batch.kill()
                    batch.wait()
                    batch = begin()
                case "sandbox":
                    for box, pid in containers():
                        if pid == batch.pid and random.random() < 0.3:
                            subprocess.run(
                                ["docker", "kill", box], capture_output=True, check=False
                            )
                case "server":
                    server.kill()
                    time.sleep(random.uniform(0.2, 2.0))
                    server.start()
                case "interrupt":
                    batch.send_signal(signal.SIGINT)
                    time.sleep(0.3)
                    batch.send_signal(signal.SIGINT)
                    batch.wait(60)
                    batch = begin()
        while batch.wait(180) != 0:  # what was given up for now is taken up again
            batch = begin()

    out = tmp_path / "out"
    assert reported(json.loads((out / "report.json").read_text())) == recomputed(out)
    recordings = list(RecordingStore(out / "recordings").list())
    counted = [one for one in recordings if one.outcome not in (None, "infra")]
    assert Counter(map(attempt_name_of, counted)) == Counter(
        {f"q{n}#{attempt}": 1 for n in range(25) for attempt in (1, 2)}
    )
    assert all(verify(one.folder).whole for one in counted)
    assert not list((out / "workspaces").glob("[!.]*"))
    time.sleep(2.0)
    assert not [box for box, pid in containers() if pid in pids]
