"""`sii doctor --record`: what was found stands in the recordings that begin soon after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from recordings.events import ServerCheck, SessionStart
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.doctor import record as doctor_record
from sii_cli.doctor.record import STATE_FILE, keep_checks, kept_check
from sii_cli.doctor.server_checks import DoctorCheck
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.model.test_resumed_ids import talk
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.terminal import clean_environment

URL = "http://gpu1:8000/v1"
FOUND = [
    DoctorCheck("docker", "ok", "engine 28"),
    DoctorCheck("usage", "ok", "1 + 2", endpoint=URL),
    DoctorCheck("usage", "fail", "missing", "update the server", endpoint="http://gpu2:8000/v1"),
]


def test_each_server_has_its_own_checks_and_the_machines(tmp_path: Path) -> None:
    keep_checks(tmp_path, [URL, "http://gpu2:8000"], FOUND)
    check = kept_check(tmp_path, "http://gpu1:8000")
    assert check is not None
    assert [(found.name, found.status) for found in check.checks] == [
        ("docker", "ok"),
        ("usage", "ok"),
    ]
    assert kept_check(tmp_path, "http://gpu3:8000/v1") is None


def test_what_is_old_or_cannot_be_read_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept_check(tmp_path, URL) is None
    keep_checks(tmp_path, [URL], FOUND)
    monkeypatch.setattr(doctor_record, "VALID", 0.0)
    assert kept_check(tmp_path, URL) is None
    (tmp_path / STATE_FILE).write_text("[{]")
    assert kept_check(tmp_path, URL) is None


async def test_a_recording_begins_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sii_cli.session.session.make_backend", lambda settings: FakeBackend())
    async with ScriptedServer([Turn(content="Hi.")]) as server:
        keep_checks(tmp_path, [server.base_url], FOUND[:1])
        folder = await talk(tmp_path, server, "Hello.")
    start, check, *_ = [event.data for event in read_events(folder)]
    assert isinstance(start, SessionStart)
    assert isinstance(check, ServerCheck)
    assert check.base_url == start.base_url
    assert verify(folder).whole


def test_the_command_keeps_what_it_prints(tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "work"
    workspace.mkdir()
    env = {"SII_HOME": str(home), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    with in_a_thread(ScriptedServer(api_key="k")) as server:
        done = subprocess.run(
            [sys.executable, "-m", "sii_cli.main", "doctor", "--record"],
            env=clean_environment() | env | {"SII_BASE_URL": server.base_url},
            cwd=workspace,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, "a failure is kept, too"
        check = kept_check(home, server.base_url)
    assert check is not None
    assert {"server", "docker", "disk"} <= {found.name for found in check.checks}
    assert str(home / STATE_FILE) in done.stderr
