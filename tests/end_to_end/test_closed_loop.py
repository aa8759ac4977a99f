"""The loop closed: sessions → approval → exported ids → training → the trajectories again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from recordings.events import SessionStart
from recordings.samples.reading import read_sample_events
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from tests.sii_cli.terminal import clean_environment
from tests.tiny_glm.conversations import COMPUTE, UNICODE, Conversation
from tests.tiny_glm.environment import ensure_environment
from tests.tiny_glm.observe import make_workspace
from tests.tiny_glm.server import TinyGlmServer, serve

pytestmark = [pytest.mark.docker, pytest.mark.vllm, pytest.mark.slow]

TRAIN = Path(__file__).parents[1] / "tiny_glm" / "train_on_ids.py"
RENDER = TRAIN.with_name("render_messages.py")
TASKS = (COMPUTE, UNICODE)


@dataclass(frozen=True)
class Home:
    """A place of its own for recordings, against one server."""

    root: Path
    server: TinyGlmServer
    wire: str = "messages"

    @property
    def desk(self) -> Path:
        """Where commands run that work in no workspace."""
        return self.root / "desk"

    def sii(self, *arguments: str, workspace: Path | None = None) -> str:
        settings = {**self.server.environment, "SII_TEMPERATURE": "0", "SII_SPEAKER": "ada"}
        settings |= {"SII_WIRE": self.wire, "SII_TOKENIZER": self.server.folder}
        done = subprocess.run(
            [sys.executable, "-m", "sii_cli.main", *arguments],
            cwd=workspace or self.desk,
            env={**clean_environment(), **settings, "SII_HOME": str(self.root / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def record(self) -> list[list[list[int]]]:
        """Hold all tasks; return what was generated, call by call."""
        self.desk.mkdir(parents=True)
        return [self._hold(task) for task in TASKS]

    def _hold(self, task: Conversation) -> list[list[int]]:
        workspace = make_workspace(task, self.root / task.name)
        (round_,) = task.rounds
        self.sii("-p", round_.user, workspace=workspace)
        folder = RecordingStore(self.root / "home" / "recordings").resolve("last")
        start = next(read_events(folder)).data
        assert isinstance(start, SessionStart)
        assert start.wire is not None
        assert start.wire.kind == self.wire
        return [one.ids.generated for one in read_sample_events(folder) if one.ids.generated]


@pytest.mark.parametrize("wire", ["messages", "ids"])
def test_a_model_trained_on_the_export_makes_the_trajectories_again(
    tiny_glm_server: TinyGlmServer, tmp_path: Path, wire: str
) -> None:
    teacher = Home(tmp_path / "teacher", tiny_glm_server, wire)
    recorded = teacher.record()
    for folder in (teacher.root / "home" / "recordings").iterdir():
        if not folder.name.startswith("."):
            teacher.sii("approve", folder.name, "--speaker", "bob")
    teacher.sii("export", "data", "--format", "tokens", "--approved")
    data = teacher.desk / "data" / "train.jsonl"
    assert _trained(data) == recorded
    student_model = tmp_path / "model"
    command = [ensure_environment(), TRAIN, data, Path(tiny_glm_server.folder), student_model]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with serve(student_model, tiny_glm_server.form, tmp_path / "vllm.log") as server:
        assert Home(tmp_path / "student", server, wire).record() == recorded


def test_exported_messages_render_to_the_ids_that_were_served(
    tiny_glm_server: TinyGlmServer, tmp_path: Path
) -> None:
    """transformers is the oracle: where nothing drifts, its ids are the recorded ones."""
    home = Home(tmp_path / "home", tiny_glm_server)
    home.record()
    for format_ in ("tokens", "messages"):
        home.sii("export", format_, "--format", format_, "--all")
    messages = home.desk / "messages" / "train.jsonl"
    command = [ensure_environment(), RENDER, tiny_glm_server.folder, messages]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rendered = list(map(json.loads, done.stdout.splitlines()))
    with (home.desk / "tokens" / "train.jsonl").open() as lines:
        served = [json.loads(line)["input_ids"] for line in lines]
    assert rendered == [ids[:-1] for ids in served]  # but for the stop token of the last turn


def _trained(data: Path) -> list[list[list[int]]]:
    """The trained ids of every row, span by span."""
    with data.open() as lines:
        rows = [json.loads(line) for line in lines]
    return [
        [row["input_ids"][span["start"] : span["end"]] for span in row["spans"] if span["trained"]]
        for row in rows
    ]
