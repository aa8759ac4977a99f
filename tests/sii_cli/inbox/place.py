"""A home with a batch whose sessions wait for a person, and a server to run them against."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Parked, SessionEnd
from recordings.recorder import Recorder
from recordings.store.store import RecordingStore
from recordings.store.summary import RecordingSummary
from recordings.trust.first_start import working_key
from sii_cli.batch.sessions import executor
from sii_cli.config.settings import BATCH_FILE
from tests.fakes.batch_server import BatchServer
from tests.fakes.consenting import consented
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.batch.sii_with_fake_sandboxes import FaultyBackend
from tests.sii_cli.batch.test_batch_command import PROGRAM, ROOT
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import clean_environment


def make_parked(home: Path, count: int) -> list[Path]:
    """Make a batch of parked sessions without running them; return their recordings."""
    folder = home / "batches" / "many"
    store, key = RecordingStore(folder / "recordings"), working_key(home)
    made = []
    for number in range(count):
        _, recording = store.create_folder()
        made.append(recording)
        record_session(recording, key=key, mode="batch", batch="many", query=f"q{number}")
        recorder = Recorder.resume(recording, key=key)
        recorder.record(Parked(status="answered"), "harness")
        recorder.record(SessionEnd(status="parked", rounds=1, steps=1), "harness")
        recorder.close()
    (folder / BATCH_FILE).write_text("{}")
    return made


class InboxPlace:
    """Runs `sii` in this process, or as a program, with sandboxes without an engine."""

    def __init__(self, root: Path, server: BatchServer, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.shell = Shell(root, patch)
        self.folder = root
        self.server = server
        self.home = self.shell.home
        self.out = self.home / "batches" / "monday"
        consented(self.home)
        backend = FaultyBackend(0.0, self.home)
        patch.setattr(executor, "make_backend", lambda settings: backend)
        for name, value in self._env.items():
            patch.setenv(name, value)

    @property
    def _env(self) -> dict[str, str]:
        return {
            "SII_BASE_URL": self.server.base_url,
            "SII_HOME": str(self.home),
            "SII_RETRIES": "1",
            "SII_IDLE_TIMEOUT": "3",
            "SII_SPEAKER": "ada",
        }

    @property
    def env(self) -> dict[str, str]:
        """The environment of a program."""
        more = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)}
        return clean_environment() | self._env | more

    def move(self) -> None:
        """Move the home to another place, as to another machine, without the workspaces."""
        moved = self.folder / "elsewhere"
        self.home.rename(moved)
        self.home, self.out = moved, moved / "batches" / "monday"
        self._patch.setenv("SII_HOME", str(moved))

    def argv(self, *arguments: str) -> list[str]:
        return [*PROGRAM, "0", *arguments]

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start a program."""
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sii(self, *arguments: str, code: int = 0, stdin: str = "", **env: str) -> str:
        """Run a command in this process; return what it prints."""
        done = self.shell.sii(*arguments, stdin=stdin, **env)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def write(self, *queries: dict[str, Any]) -> Path:
        path = self.folder / "queries.jsonl"
        path.write_text("".join(json.dumps(query) + "\n" for query in queries))
        return path

    def park(self, *queries: dict[str, Any], **env: str) -> list[RecordingSummary]:
        """Run a batch whose sessions are parked one after another; return their recordings."""
        words = (str(self.write(*queries)), "--out", str(self.out), "--concurrency", "1")
        self.sii("batch", *words, "--feedback", "human", code=5, **env)
        return self.recordings()

    def recordings(self) -> list[RecordingSummary]:
        """The recordings of the batch, the oldest first."""
        return sorted(RecordingStore(self.out / "recordings").list(), key=lambda one: one.id)

    def listed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.sii("inbox", "--json").splitlines()]

    def workspaces(self) -> list[Path]:
        return sorted((self.out / "workspaces").glob("[!.]*"))
