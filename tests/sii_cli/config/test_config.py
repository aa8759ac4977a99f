"""Settings: which source wins, what is refused and how it is said, and where a key may go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.protocol import Limits, Mount
from sii_cli.assembly import make_redactor, make_spec
from sii_cli.config.load import load_settings
from sii_cli.config.project_settings import find_project_file, trust
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError


class Place:
    """A user's home and a project."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home" / ".sii"
        self.project = root / "project"
        self.user_file = self.home / "config.toml"
        self.project_file = self.project / ".sii" / "config.toml"
        for folder in (self.home, self.project / ".sii"):
            folder.mkdir(parents=True)

    def trust(self) -> None:
        """Say yes to the project's file as it is."""
        project = find_project_file(self.project, self.home)
        assert project is not None
        trust(self.home, project, answer=True)

    def load(self, env: dict[str, str] | None = None, /, **flags: Any) -> Settings:
        return load_settings(flags, {"SII_HOME": str(self.home), **(env or {})}, self.project)

    def refusal(self, env: dict[str, str] | None = None, /, **flags: Any) -> str:
        with pytest.raises(UsageError) as refused:
            self.load(env, **flags)
        return str(refused.value)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_defaults_need_nothing(place: Place) -> None:
    settings = place.load()
    assert settings.base_url == "http://127.0.0.1:8000/v1"
    assert settings.model is None
    assert settings.workspace == place.project
    assert settings.home == place.home
    assert "bash" in settings.tools
    assert settings.sources == {"home": "SII_HOME"}


@pytest.mark.parametrize("key", ["schlüssel-12345", "key-12345\r\nHost: elsewhere", "two keys"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(
    place: Place, key: str
) -> None:
    refusal = place.refusal({"SII_API_KEY": key})
    assert refusal.startswith("SII_API_KEY: wants a key in ASCII")
    assert key not in refusal


def test_flags_beat_environment_beats_a_trusted_project_beats_user(place: Place) -> None:
    place.user_file.write_text('model = "user"\ntop_p = 0.1\nseed = 1\nmax_steps = 1')
    place.project_file.write_text('model = "project"\ntop_p = 0.2\nseed = 2')
    place.trust()
    settings = place.load({"SII_MODEL": "env", "SII_TOP_P": "0.3"}, model="flag")
    assert (settings.model, settings.top_p, settings.seed, settings.max_steps) == (
        "flag",
        0.3,
        2,
        1,
    )
    assert settings.sources == {
        "home": "SII_HOME",
        "model": "--model",
        "top_p": "SII_TOP_P",
        "seed": f"{place.project_file} (trusted)",
        "max_steps": str(place.user_file),
    }


def test_text_becomes_what_a_setting_is(place: Place) -> None:
    settings = place.load(
        {"SII_MEMORY": "1.5g", "SII_ENABLE_THINKING": "false", "SII_ALLOW_NET": "example.org, a.b"},
        tools="bash,python",
        cpus="0.5",
    )
    assert settings.memory == 3 << 29
    assert settings.enable_thinking is False
    assert settings.allow_net == ("example.org", "a.b")
    assert settings.tools == ("bash", "python")
    assert settings.cpus == 0.5


def test_an_empty_variable_is_not_set(place: Place) -> None:
    assert place.load({"SII_MODEL": ""}).model is None


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("max_steps", "abc", "wants a whole number of at least 1, not 'abc'"),
        ("max_steps", "0", "wants a whole number of at least 1, not '0'"),
        ("temperature", "3", "wants a number from 0 to 2, not '3'"),
        ("cpus", "nan", "wants a number above 0"),
        ("memory", "4 bananas", "wants a size of at least 1m, such as \"4g\", not '4 bananas'"),
        ("base_url", "gpu-box:8000", "wants a URL such as http://127.0.0.1:8000/v1"),
        ("base_url", "http://me:secret@box/v1", "wants a URL"),
        ("sandbox", "none", "wants 'docker' or 'bubblewrap', not 'none'"),
        ("enable_thinking", "maybe", "wants true or false, not 'maybe'"),
        ("tools", "bash,hammer", "there is no 'hammer'; there are bash,"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_wanted(
    place: Place, name: str, value: str, wanted: str
) -> None:
    variable = f"SII_{name.upper()}"
    refusal = place.refusal({variable: value})
    assert wanted in refusal
    assert (variable in refusal) or (name in refusal)
    assert wanted in place.refusal(**{name: value})
    place.user_file.write_text(f'{name} = "{value}"')
    refusal = place.refusal()
    assert wanted in refusal
    assert name in refusal


@pytest.mark.parametrize("text", ["http://a:1,http://b/v1/", " http://a:1  http://b/v1 http://a:1"])
def test_several_servers_are_listed_by_commas_or_spaces(place: Place, text: str) -> None:
    assert place.load({"SII_BASE_URL": text}).base_urls == ["http://a:1", "http://b/v1"]


def test_one_wrong_url_among_several_is_refused(place: Place) -> None:
    assert "wants a URL" in place.refusal({"SII_BASE_URL": "http://a:1,b"})


def test_a_wrong_key_in_a_file_names_the_file_and_the_nearest(place: Place) -> None:
    place.user_file.write_text("max_step = 3")
    assert place.refusal() == (
        f"{place.user_file}: unknown setting 'max_step'; did you mean max_steps?"
    )


def test_a_variable_with_a_typing_error_is_noticed(place: Place) -> None:
    (note,) = place.load({"SII_MODLE": "x"}).notes
    assert note == "SII_MODLE is not a setting and does nothing; did you mean SII_MODEL?"


def test_a_file_that_is_no_toml_is_named(place: Place) -> None:
    place.user_file.write_text("model = ")
    assert place.refusal().startswith(f"{place.user_file} is not valid TOML: ")


@pytest.mark.parametrize("value", ["true", "[1]", '"x"'])
def test_toml_types_are_not_guessed(place: Place, value: str) -> None:
    place.user_file.write_text(f"max_steps = {value}")
    assert "max_steps wants a whole number" in place.refusal()


def test_the_key_never_shows(place: Place) -> None:
    settings = place.load({"SII_API_KEY": "sk-secret"})
    assert settings.api_key == "sk-secret"
    assert settings.without_secrets()["api_key"] == "set"
    assert "sk-secret" not in repr(settings)


def test_a_workspace_that_is_not_there(place: Place) -> None:
    assert "does not exist: make it, or name another with --workspace DIR" in place.refusal(
        workspace="nowhere"
    )
    (place.project / "file").touch()
    assert "is not a directory" in place.refusal(workspace="file")


def test_a_workspace_never_holds_the_key_and_the_recordings(place: Place) -> None:
    assert "holds sii's own folder" in place.refusal(workspace=str(place.home.parent))


def test_reading_recordings_works_anywhere(place: Place) -> None:
    """Such as in `~`, which holds `~/.sii`: no sandbox will show it."""
    place.user_file.write_text('speaker = "me"')
    env = {"SII_HOME": str(place.home)}
    settings = load_settings({}, env, place.home.parent, works=False)
    assert settings.speaker == "me"


def test_the_users_file_is_not_the_projects(place: Place, tmp_path: Path) -> None:
    """In `~`, `.sii/config.toml` is both; only a workspace elsewhere is allowed, so it is told."""
    place.user_file.write_text('speaker = "me"')
    refusal = place.refusal(workspace=str(place.home.parent))
    assert "holds sii's own folder" in refusal


def test_searxng_needs_its_url(place: Place) -> None:
    assert "searxng_url is not set" in place.refusal(search_provider="searxng")


def test_a_system_prompt_that_is_not_there(place: Place) -> None:
    assert "there is no file" in place.refusal(system_prompt="nowhere.md")


def test_mounts_are_made_absolute_where_they_are_said(place: Place, tmp_path: Path) -> None:
    (place.project / "data").mkdir()
    (tmp_path / "other").mkdir()
    place.user_file.write_text(f'mounts = ["{tmp_path}/other"]')
    assert place.load().mounts == (f"{tmp_path}/other:/mnt/other",)
    by_flag = place.load(mounts=["data:/srv/d", str(tmp_path / "other")])
    assert by_flag.mounts == (
        f"{place.project}/data:/srv/d",
        f"{tmp_path}/other:/mnt/other",
    )
    assert make_spec(by_flag).mounts[0] == Mount(place.project / "data", "/srv/d")


def test_a_mount_that_is_not_there_or_shows_the_keys_is_refused(place: Place) -> None:
    assert place.refusal(mounts=["gone"]) == "--mount: there is no gone to mount."
    assert "your key" in place.refusal({"SII_MOUNTS": str(place.home.parent)})


def test_variables_are_given_or_passed_on_and_their_values_not_shown(place: Place) -> None:
    env = {"HF_TOKEN": "hf_0123456789abcdef", "SII_ENV": "A=1, 2\nHF_TOKEN"}
    settings = place.load(env)
    assert make_spec(settings).env == {"A": "1, 2", "HF_TOKEN": "hf_0123456789abcdef"}
    assert settings.without_secrets()["env"] == ["A", "HF_TOKEN"]
    place.user_file.write_text('[env]\nB = "b=b"')
    assert make_spec(place.load()).env == {"B": "b=b"}


def test_a_variable_that_is_wrong_or_missing_is_refused_without_its_value(place: Place) -> None:
    refusal = place.refusal(env=["A B=s3cret"])
    assert refusal.startswith("--env: wants NAME=VALUE")
    assert "s3cret" not in refusal
    assert place.refusal(env=["NOT_HERE"]) == (
        "--env: the variable NOT_HERE is not set, so it cannot be passed on."
    )


def test_a_secret_of_the_sandbox_is_kept_out_of_the_recording(place: Place) -> None:
    settings = place.load(env=["MY_TOKEN=tok_0123456789abcdef"])
    redactor = make_redactor(settings)
    assert redactor is not None
    assert "tok_0123" not in str(redactor.text("it is tok_0123456789abcdef"))


def test_set_up_commands_may_hold_commas(place: Place) -> None:
    place.user_file.write_text('setup = ["echo a, b", "make"]')
    assert place.load().setup == ("echo a, b", "make")
    assert place.load({"SII_SETUP": "echo a, b\nmake\n"}).setup == ("echo a, b", "make")


def test_every_limit_can_be_set(place: Place) -> None:
    place.user_file.write_text(
        'memory = "1g"\ncpus = 1\npids = 3\ntmp = "2m"\ndisk = "4m"\nfile_size = "5m"\n'
        'shm = "3m"\nopen_files = 6\noutput_size = "7m"\n'
        "command_timeout = 8\ncommand_timeout_max = 9\n"
    )
    mib = 1 << 20
    assert make_spec(place.load()).limits == Limits(
        1024 * mib, 1.0, 3, 2 * mib, 4 * mib, 5 * mib, 6, 7 * mib, 8.0, 9.0, 3 * mib
    )


@pytest.mark.parametrize(("mode", "noted"), [(0o600, False), (0o644, True), (0o640, True)])
def test_a_key_that_others_can_read_is_noted(tmp_path: Path, mode: int, noted: bool) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    file = home / "config.toml"
    file.write_text('api_key = "secret"\n')
    file.chmod(mode)
    settings = load_settings({}, {"SII_HOME": str(home)}, workspace)
    assert settings.notes == (
        (f"others can read the key in {file}: say `chmod 600 {file}`.",) * noted
    )
    file.write_text('model = "m"\n')
    assert load_settings({}, {"SII_HOME": str(home)}, workspace).notes == ()


def test_a_short_name_of_an_image_becomes_the_image(place: Place) -> None:
    assert place.load(image="research").image == "sii-sandbox:research"
    assert place.load({"SII_IMAGE": "base"}).image == Settings().image
    assert place.load(image="research:1").image == "research:1"
    place.user_file.write_text('[collection.pins]\nimage = "web"\n')
    assert place.load().pins["image"] == "sii-sandbox:web"
