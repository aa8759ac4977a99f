"""The data sets of a home: added once by their content, named by sessions, never changed unseen."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from recordings.events import SandboxEnd, SandboxStart, SessionStart
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.config.load import load_settings
from sii_cli.config.settings import Settings
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.recordings.data_of import data_of
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.shell import Shell


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "part.csv").write_text("film,liked\nTokyo Story,1\n")
    return folder


@pytest.fixture
def added(shell: Shell, films: Path) -> Path:
    done = shell.sii(
        *("data", "add", "films", str(films), "--license", "CC-BY-4.0"),
        *("--description", "Films\nthat people like"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("films · 1 file, 0.0 kB · CC-BY-4.0 · ")
    return films


def test_a_home_lists_shows_and_forgets_it(shell: Shell, added: Path) -> None:
    assert shell.sii("data", "list").stdout.startswith("films · 1 file")
    shown = json.loads(shell.sii("data", "show", "films", "--json").stdout)
    assert (shown["path"], shown["place"], shown["changed"]) == (str(added), "/data/films", None)
    (added / "new").write_text("")
    done = shell.sii("data", "show", "films")
    assert done.returncode == 1
    assert "has changed since it was added: `sii data add films PATH --replace`" in done.stderr
    again = shell.sii("data", "add", "films", str(added), "--replace")
    assert (again.returncode, shell.sii("data", "show", "films").returncode) == (0, 0)
    assert shell.sii("data", "remove", "films").returncode == 0
    assert (added / "new").exists()
    assert "no data sets" in shell.sii("data", "list").stderr


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("films", ".", "There is a data set films already"),
        ("../evil", ".", "The name of a data set is"),
        ("none", "gone", "There is no folder or file gone"),
        ("empty", "nothing", "holds no file"),
        ("bytes", "\udcff", "is not text in UTF-8"),
        ("home", "..", "would show sii's own folder"),
        ("inside", "../home/recordings", "would show sii's own folder"),
    ],
)
def test_what_cannot_be_added_is_said(
    shell: Shell, added: Path, name: str, path: str, words: str
) -> None:
    (shell.workspace / "nothing").mkdir()
    (shell.home / "recordings").mkdir(exist_ok=True)
    done = shell.sii("data", "add", name, path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_data_set_does_not_hide_the_others(shell: Shell, added: Path) -> None:
    (shell.home / "data" / "a.json").write_text("{")
    done = shell.sii("data", "list")
    assert done.stdout.startswith("films · 1 file")
    assert "a.json is damaged: add the data set again" in done.stderr
    assert done.returncode == 1


def test_a_damaged_file_of_the_home_is_one_sentence(shell: Shell, added: Path) -> None:
    (shell.home / "data" / "films.json").write_text('{"name": 1}')
    done = shell.sii("data", "show", "films")
    assert "is damaged: add the data set again" in done.stderr
    (shell.home / "data" / "films.json").unlink()
    (shell.home / "data" / "films.json").symlink_to("/etc/passwd")
    assert shell.sii("data", "show", "films").returncode == 2


def test_a_session_shows_it_and_records_hash_and_licence(shell: Shell, added: Path) -> None:
    done = shell.sii("-p", "Go.", "--data", "films", "--no-snapshots", script="hello")
    assert done.returncode == 0, done.stderr
    (one,) = shell.store.list()
    events = list(read_events(one.folder))
    (start,) = data_of(events, SandboxStart)
    sha256 = json.loads(shell.sii("data", "show", "films", "--json").stdout)["sha256"]
    assert start.data is not None
    (use,) = start.data
    assert (use.name, use.sha256, use.license) == ("films", sha256, "CC-BY-4.0")
    assert start.mounts == {}
    assert str(added) not in (one.folder / "events.jsonl").read_text()
    (session,) = data_of(events, SessionStart)
    assert session.settings["data"] == ["films"]
    assert verify(one.folder).whole


def test_a_session_is_refused_what_changed_or_is_not_there(shell: Shell, added: Path) -> None:
    (added / "train" / "part.csv").write_text("film,liked\nTokyo Story,0\n")
    done = shell.sii("-p", "Go.", "--data", "films", script="hello")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--data: The data set films at" in done.stderr
    assert "--data: There is no data set wiki" in shell.sii("-p", "x", "--data", "wiki").stderr
    assert not list(shell.store.list())


def test_a_session_that_could_change_it_is_refused(shell: Shell) -> None:
    inside = shell.workspace / "set"
    inside.mkdir()
    (inside / "a").write_text("1")
    assert shell.sii("data", "add", "mine", str(inside)).returncode == 0
    refused = shell.sii("-p", "Go.", "--data", "mine", script="hello")
    assert "the session could change the data set mine" in refused.stderr
    refused = shell.sii("-p", "Go.", "--data", "mine", "--workspace", str(inside), script="hello")
    assert "the session could change the data set mine" in refused.stderr


def test_no_mount_takes_the_place_of_data_sets(shell: Shell, added: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for target in ("/data", "/data/films", "/data/x"):
        mount = f"{other}:{target}"
        done = shell.sii("-p", "Go.", "--data", "films", "--mount", mount, script="hello")
        assert "is where data sets are shown" in done.stderr
    assert shell.sii("-p", "Go.", "--mount", f"{other}:/data", script="hello").returncode == 0


def test_a_change_under_a_session_is_recorded_and_shown(
    shell: Shell, added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sii_cli.session.sandbox_lease import SandboxLease

    close = SandboxLease.close

    async def changing(lease: SandboxLease) -> None:
        (added / "late").write_text("")
        await close(lease)

    monkeypatch.setattr(SandboxLease, "close", changing)
    assert shell.sii("-p", "Go.", "--data", "films", script="hello").returncode == 0
    (one,) = shell.store.list()
    (end,) = data_of(read_events(one.folder), SandboxEnd)
    assert end.data_changed == ["films"]
    assert (
        "Changed on the host while the session ran: data set films"
        in shell.sii("show", one.id).stdout
    )


def told(request: list[bytes]) -> list[str]:
    """What a request's system messages say, but the system prompt."""
    messages = [json.loads(one) for one in request]
    return [one["content"] for one in messages[1:] if one["role"] == "system"]


async def test_the_model_is_told_once_before_the_first_message(shell: Shell, added: Path) -> None:
    settings = load_settings({"data": ["films"]}, dict(os.environ))
    model = ScriptedModel(answer("a"), answer("b"), answer("c"))
    session = await Session.open(settings, mode="headless", model=model, backend=FakeBackend())
    for text in ("one", "two"):
        async for _ in session.send(text):
            pass
    await session.close()
    (note,) = told(model.requests[-1])
    assert "- /data/films: 1 file, 0.0 MB; licence: CC-BY-4.0. Films that people like" in note
    assert [json.loads(one)["role"] for one in model.requests[0]] == ["system", "system", "user"]

    assert session.folder is not None
    await go_on(settings, session.folder, model)
    assert len(told(model.requests[-1])) == 1  # it knows already


async def go_on(settings: Settings, folder: Path, model: ScriptedModel) -> None:
    """Resume a session with another message."""
    session = await Session.open(
        settings,
        mode="headless",
        model=model,
        backend=FakeBackend(),
        resumed=ResumedRecording(folder),
    )
    async for _ in session.send("go on"):
        pass
    await session.close()


async def test_a_resumed_session_is_told_what_is_other_and_what_is_gone(
    shell: Shell, added: Path, tmp_path: Path
) -> None:
    settings = load_settings({"data": ["films"]}, dict(os.environ))
    model = ScriptedModel(answer("a"), answer("b"), answer("c"))
    session = await Session.open(settings, mode="headless", model=model, backend=FakeBackend())
    async for _ in session.send("one"):
        pass
    await session.sandbox()
    await session.close()
    assert session.folder is not None
    (added / "more.csv").write_text("film\n")
    shell.sii("data", "add", "films", str(added), "--replace")
    await go_on(settings, session.folder, model)
    assert told(model.requests[-1])[-1].endswith("films has other content than before.")
    await go_on(replace(settings, data=()), session.folder, model)
    assert told(model.requests[-1])[-1] == "films is not there any more."


def test_a_resumed_session_has_its_data_sets_again(shell: Shell, added: Path) -> None:
    shell.sii("-p", "Go.", "--data", "films", script="hello")
    (one,) = shell.store.list()
    assert shell.sii("-c", "-p", "On.", script="hello").returncode == 0
    starts = data_of(read_events(one.folder), SandboxStart)
    assert [[use.name for use in start.data or ()] for start in starts] == [["films"]] * 2
    shell.sii("data", "remove", "films")
    done = shell.sii("-c", "-p", "On.", script="hello")
    assert done.returncode == 0
    assert "goes on without the data set films, which this home does not have" in done.stderr
