"""What of a recorded sandbox is made again, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

from recordings.events import SandboxStart, SessionStart
from sii_cli.config.settings import Settings
from sii_cli.data_sets.registry import add_data_set
from sii_cli.reexecution.prepare import differences, sandbox_spec
from sii_cli.reexecution.recorded import RecordedEnvironment


def environment(**sandbox: object) -> RecordedEnvironment:
    start = SessionStart(
        sii_version="1",
        mode="headless",
        workspace="/w",
        model="m",
        base_url="http://localhost/v1",
        system_prompt="",
        tools=[],
        tools_sha256="",
        settings={},
    )
    known = {"backend": "docker", "sandbox_id": "s", "start_seconds": 1.0}
    return RecordedEnvironment(start, SandboxStart.model_validate(known | sandbox))


def test_set_up_commands_and_a_read_only_workspace_are_made_again(tmp_path: Path) -> None:
    recorded = environment(setup=["make deps"], read_only=True)
    spec = sandbox_spec(recorded, tmp_path, Settings(), None, is_own=True)
    assert spec.setup == ("make deps",)
    assert spec.read_only
    said = differences(recorded, Settings(), is_own=True)
    assert not any("set-up" in difference for difference in said)


def test_set_up_commands_that_had_a_network_are_not_run_and_that_is_said(tmp_path: Path) -> None:
    recorded = environment(setup=["pip install x"], network=["packages.example.org"])
    assert sandbox_spec(recorded, tmp_path, Settings(), None, is_own=True).setup == ()
    assert "Its set-up commands are not run: they could reach hosts then." in differences(
        recorded, Settings(), is_own=True
    )


def test_mounts_and_variables_that_are_not_there_are_named() -> None:
    said = differences(
        environment(mounts={"/data": "/srv/data", "/models": "/srv/m"}, env=["KEY", "CI"]),
        Settings(),
        is_own=True,
    )
    assert "The host's files at /data, /models are not there now." in said
    assert any("The variables KEY, CI are not set now" in difference for difference in said)


def test_data_sets_of_the_same_content_are_there_again_and_others_are_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.csv").write_text("film\n")
    settings = Settings(home=tmp_path / "home")
    added = add_data_set(settings.home, "films", tmp_path / "films")
    use = {"name": "films", "sha256": added.sha256, "files": 1, "size": 5}
    recorded = environment(data=[use, use | {"name": "wiki"}])

    def mounted(*, is_own: bool = True) -> list[str]:
        spec = sandbox_spec(recorded, tmp_path, settings, None, is_own=is_own)
        return [mount.target for mount in spec.mounts]

    assert mounted() == ["/data/films"]
    assert mounted(is_own=False) == []
    said = differences(recorded, settings, is_own=True)
    assert "Not there now, or with other content: data sets wiki." in said
    (tmp_path / "films" / "b.csv").write_text("film\n")
    assert mounted() == []
    said = differences(recorded, settings, is_own=True)
    assert "Not there now, or with other content: data sets films, wiki." in said
