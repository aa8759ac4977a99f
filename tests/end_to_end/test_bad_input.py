"""What goes wrong in practice, met by the whole program: one clear message, the right exit code,
and a recording that says what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recordings.events import ModelError, ModelRequest, ModelResponse, Observation
from recordings.storage.log import read_events
from tests.fakes.script import (
    BreakAfter,
    CutOff,
    EngineDies,
    HttpError,
    Scripted,
    SilentAfter,
    Turn,
)
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.terminal import clean_environment

pytestmark = [pytest.mark.docker]

SII = [sys.executable, "-m", "sii_cli.main"]
DONE = Turn("Done.")
NOWHERE = "http://127.0.0.1:9/v1"
MB = 1 << 20
SECRET = "sii-key-4711-abcdef"


@dataclass
class Outcome:
    """How a headless run ended."""

    exit_code: int
    stderr: str
    report: dict[str, Any]

    def recorded(self, kind: type) -> list[Any]:
        """What was recorded of a kind."""
        events = (event.data for event in read_events(Path(self.report["recording"])))
        return [data for data in events if isinstance(data, kind)]


class Runner:
    """Runs `sii -p` in a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.workspace = folder / "workspace"
        self.workspace.mkdir()

    def __call__(self, base_url: str, **settings: str) -> Outcome:
        """Give the task "go"; `settings` are environment variables without their SII_."""
        env = {"SII_BASE_URL": base_url, "SII_HOME": str(self.home), "SII_RETRIES": "1"}
        env |= {f"SII_{name.upper()}": value for name, value in settings.items()}
        done = subprocess.run(
            [*SII, "-p", "go", "--output-format", "json"],
            cwd=self.workspace,
            env=clean_environment() | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr
        return Outcome(done.returncode, done.stderr, json.loads(done.stdout or "{}"))

    def play(self, *script: Scripted, server: dict[str, Any] | None = None, **settings: str) -> Any:
        """Run against a scripted server."""
        with in_a_thread(ScriptedServer(script, **(server or {}))) as scripted:
            return self(scripted.base_url, **settings)


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def bash(command: str) -> Turn:
    return Turn("", [("bash", {"command": command})])


# The server


def test_no_server(run: Runner) -> None:
    outcome = run(NOWHERE)
    assert outcome.exit_code == 4
    assert f"No server answers at {NOWHERE}" in outcome.stderr
    assert "SII_BASE_URL" in outcome.stderr


def test_a_model_that_is_not_served(run: Runner) -> None:
    outcome = run.play(DONE, model="other")
    assert outcome.exit_code == 1
    assert "'other'" in outcome.stderr
    assert "it serves glm" in outcome.stderr


def test_a_wrong_key(run: Runner) -> None:
    outcome = run.play(DONE, server={"api_key": "right"}, api_key="wrong")
    assert outcome.exit_code == 1
    assert "SII_API_KEY" in outcome.stderr
    assert "wrong" not in outcome.stderr.replace("wrong key", "")


def test_a_conversation_that_does_not_fit(run: Runner) -> None:
    outcome = run.play(DONE, server={"context_length": 50})
    assert (outcome.exit_code, outcome.report["status"]) == (3, "limit")
    assert "context" in outcome.stderr


def test_tools_that_the_server_refuses(run: Runner) -> None:
    error = {"message": "tools.0: Field required", "type": "Bad Request", "param": "tools"}
    outcome = run.play(HttpError(400, {"error": error}))
    assert (outcome.exit_code, outcome.report["status"]) == (1, "failed")
    assert "tools.0: Field required" in outcome.stderr


# The stream


def test_a_stream_that_breaks_is_repeated_and_nothing_is_doubled(run: Runner) -> None:
    outcome = run.play(BreakAfter(Turn("Half of it."), 3), DONE)
    assert outcome.exit_code == 0
    assert outcome.report["answer"] == "Done."
    [error] = outcome.recorded(ModelError)
    assert error.kind == "broken_stream"
    assert error.content != ""
    assert [data.content for data in outcome.recorded(ModelResponse)] == ["Done."]
    first, second = outcome.recorded(ModelRequest)
    assert first.messages_sha256 == second.messages_sha256


def test_a_stream_that_goes_silent(run: Runner) -> None:
    outcome = run.play(SilentAfter(Turn("Half of it."), 3), DONE, idle_timeout="1")
    assert outcome.exit_code == 0
    [error] = outcome.recorded(ModelError)
    assert error.kind == "idle"


def test_an_engine_that_dies_again_and_again(run: Runner) -> None:
    outcome = run.play(*[EngineDies(Turn("Half."), 2)] * 2)
    assert (outcome.exit_code, outcome.report["status"]) == (4, "infra")
    assert [error.kind for error in outcome.recorded(ModelError)] == ["engine_dead"] * 2


def test_a_call_that_is_cut_off_is_never_run(run: Runner) -> None:
    call = bash("touch made.txt; " + "echo a long command; " * 20)
    outcome = run.play(CutOff(call, 12), DONE)
    assert outcome.exit_code == 0
    assert outcome.recorded(Observation) == []
    assert list(run.workspace.iterdir()) == []


# The calls


def test_arguments_that_are_no_json_and_tools_that_are_none(run: Runner) -> None:
    wild = Turn("", [("bash", '{"command": "ls'), ("bsh", "{}"), ("bash", '{"command": 3}')])
    outcome = run.play(wild, DONE)
    assert outcome.exit_code == 0
    errors = [data.error for data in outcome.recorded(Observation)]
    assert errors == ["bad_json", "unknown_tool", "bad_arguments"]


def test_a_gigabyte_of_output(run: Runner) -> None:
    outcome = run.play(bash("head -c 1G /dev/zero | tr '\\0' 'x'; echo; echo the end"), DONE)
    assert outcome.exit_code == 0
    [observation] = outcome.recorded(Observation)
    assert observation.text.rstrip().endswith("the end")
    assert observation.truncated.bytes > 900 * MB
    assert len(observation.text) < 100_000


def test_output_that_is_no_text_and_a_binary_file(run: Runner) -> None:
    (run.workspace / "data.bin").write_bytes(bytes(range(256)) * 40)
    read = Turn("", [("read_file", {"path": "data.bin"})])
    outcome = run.play(bash(r"printf 'a\377\200b\033[31mred\n'"), read, DONE)
    assert outcome.exit_code == 0
    printed, described = outcome.recorded(Observation)
    assert printed.text.startswith(r"a\xff\x80bred")
    assert "binary" in described.text
    assert "10240" in described.text.replace(",", "")


# The workspace


def test_a_workspace_that_does_not_exist(run: Runner) -> None:
    outcome = run(NOWHERE, workspace=str(run.workspace / "nowhere"))
    assert outcome.exit_code == 2
    assert "nowhere" in outcome.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a read-only directory")
def test_a_read_only_workspace(run: Runner) -> None:
    subprocess.run(["mount", "--bind", run.workspace, run.workspace], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", run.workspace], check=True)
        write = Turn("", [("write_file", {"path": "a.txt", "content": "a"})])
        outcome = run.play(write, DONE)
    finally:
        subprocess.run(["umount", run.workspace], check=True)
    assert outcome.exit_code == 0
    [observation] = outcome.recorded(Observation)
    assert observation.error == "read_only"
    assert "read-only" in observation.text.lower()


def test_a_key_that_stands_in_a_file_is_kept_nowhere(run: Runner) -> None:
    (run.workspace / ".env").write_text(f"SERVER={SECRET}\n")
    key = {"api_key": SECRET}
    outcome = run.play(bash("cat .env; env"), DONE, server=key, **key)
    assert outcome.exit_code == 0
    [observation] = outcome.recorded(Observation)
    assert observation.text.startswith("SERVER=‹redacted:SII_API_KEY›")
    kept = [path for path in run.home.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if SECRET.encode() in path.read_bytes()] == []
