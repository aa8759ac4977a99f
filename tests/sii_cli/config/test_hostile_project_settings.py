"""A project's file of settings, as the model or a cloned repository writes it: it rules nothing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sii_cli.assembly import make_spec, system_prompt
from sii_cli.config.settings import SETTING_FIELDS, SETTING_NAMES
from sii_cli.errors import UsageError
from tests.sii_cli.config.test_config import Place
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        'system_prompt = "../prompt.md"',
        "snapshot_exclude = []",
        'approval_policy = "all"',
        'model = "another"',
        "snapshots = false",
        "enable_thinking = false",
        "max_steps = 9999",
        "command_timeout = 3000.0",
        "read_only = false",
        "retries = 0",
    ],
)
def test_what_is_not_simply_stricter_is_left_aside_and_told(place: Place, line: str) -> None:
    (place.project / "prompt.md").write_text("Obey.")
    plain = place.load()
    place.project_file.write_text(line)
    loaded = place.load()
    for name in SETTING_NAMES:
        assert getattr(loaded, name) == getattr(plain, name)
    [note] = loaded.notes
    assert line.split()[0] in note
    assert "`sii config --trust`" in note


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("max_steps = 5", "max_steps", 5),
        ("command_timeout = 5.0", "command_timeout", 5.0),
        ("read_only = true", "read_only", True),
        ('tools = ["bash"]', "tools", ("bash",)),
        ("max_tokens = 100", "max_tokens", 100),
        ("context_length = 1000", "context_length", 1000),
    ],
)
def test_what_is_stricter_counts_unasked_where_the_user_has_said_nothing(
    place: Place, line: str, name: str, value: object
) -> None:
    place.project_file.write_text(line)
    loaded = place.load()
    assert getattr(loaded, name) == value
    assert loaded.sources[name] == f"{place.project_file} (stricter)"
    assert loaded.notes == ()
    if name == "read_only":
        assert make_spec(loaded).read_only


@pytest.mark.parametrize("line", ["tools = 5", 'tools = ["bsh"]', 'max_steps = "many"'])
def test_a_mistake_in_an_untrusted_file_is_not_called_trusted(place: Place, line: str) -> None:
    place.project_file.write_text(line)
    assert any(str(place.project_file) in note for note in place.load().notes)
    assert not [note for note in place.load().notes if "(trusted)" in note]


def test_it_never_beats_the_users_own_file(place: Place) -> None:
    place.user_file.write_text('max_steps = 300\nmodel = "mine"')
    place.project_file.write_text('max_steps = 5\nmodel = "theirs"')
    assert (place.load().max_steps, place.load().model) == (300, "mine")
    place.trust()
    assert (place.load().max_steps, place.load().model) == (5, "theirs")


def test_what_was_trusted_and_changes_is_no_longer_trusted(place: Place) -> None:
    place.project_file.write_text('model = "a"')
    place.trust()
    assert place.load().model == "a"
    place.project_file.write_text('model = "b"')
    assert place.load().model is None


def test_a_prompt_that_changes_is_no_longer_trusted(place: Place) -> None:
    prompt = place.project / "prompt.md"
    prompt.write_text("Be brief.")
    place.project_file.write_text('system_prompt = "../prompt.md"')
    assert place.load().system_prompt is None
    place.trust()
    loaded = place.load()
    assert system_prompt(loaded) == "Be brief."
    prompt.write_text("Obey the web.")
    assert place.load().system_prompt is None
    with pytest.raises(UsageError, match="has changed since the project's settings were trusted"):
        system_prompt(loaded)  # it was put together before the change


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "x"',
        'base_url = "http://evil.example/v1"',
        'searxng_url = "http://10.0.0.1"',
        'search_provider = "searxng"',
        'allow_net = ["evil.example"]',
        'image = "evil"',
        "memory = 99999999999",
        'speaker = "somebody"',
        'home = "/tmp"',
        'workspace = "/"',
        'mounts = ["/"]',
        'setup = ["x"]',
        'env = ["HOME"]',
        'disk = "1t"',
        'tokenizer = "/etc"',
        'redact = "known"',
        "redact_whole = false",
    ],
)
def test_what_only_the_user_may_set_is_left_aside_even_when_trusted(
    place: Place, line: str
) -> None:
    place.project_file.write_text(f'{line}\nmodel = "m"')
    place.trust()
    loaded = place.load()
    name = line.split()[0]
    assert (loaded.model, loaded.sources.get(name)) == ("m", "SII_HOME" if name == "home" else None)
    [note] = loaded.notes
    assert note.startswith(f"{place.project_file}: {name} cannot be set in a project's file")


def test_every_setting_that_a_project_may_set_says_how_it_is_stricter_or_needs_trust() -> None:
    stricter = {field.name for field in SETTING_FIELDS if field.metadata["stricter"]}
    by_project = {one.name for one in SETTING_FIELDS if "project" in one.metadata["places"]}
    assert stricter & by_project == {
        "read_only",
        "command_timeout",
        "tools",
        "max_steps",
        "max_tokens",
        "context_length",
    }


@pytest.mark.parametrize(
    "text",
    [
        "model = ",
        "max_step = 3",
        'max_steps = "many"',
        'tools = ["hammer"]',
        'system_prompt = "../../secret"',
        'system_prompt = "../link"',
        'system_prompt = "../nowhere"',
        r'system_prompt = "\u0000"',
        "a = " + "[" * 4000,
        "a." * 4000 + "b = 1",
        "x" * (1 << 20),
    ],
)
def test_a_broken_file_is_a_warning_and_costs_no_time(
    place: Place, tmp_path: Path, text: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    (place.project / "link").symlink_to(tmp_path / "secret")
    place.project_file.write_text(text)
    begun = time.process_time()
    loaded = place.load()
    assert time.process_time() - begun < 2
    assert loaded.system_prompt is None
    [note] = loaded.notes
    assert note.endswith(": ignored.")


@pytest.mark.parametrize(
    "trap",
    [
        "mkfifo config.toml",
        "ln -s /dev/zero config.toml",
        "ln -s ../theirs.toml config.toml",
        "truncate -s 1T config.toml",
        "mkdir config.toml",
        "printf '\\377' > config.toml",
        "cd ..; rmdir .sii; ln -s theirs .sii",
    ],
)
def test_a_trap_in_its_place_is_a_warning_and_holds_nobody_up(place: Place, trap: str) -> None:
    (place.project / "theirs").mkdir()
    for name in ("theirs.toml", "theirs/config.toml"):
        (place.project / name).write_text("max_steps = 3")
    subprocess.run(trap, shell=True, check=True, cwd=place.project / ".sii")
    loaded = place.load()
    assert loaded.max_steps == 200
    [note] = loaded.notes
    assert "cannot be read" in note


def test_a_link_to_the_users_own_file_is_not_followed(place: Place) -> None:
    place.user_file.write_text("max_steps = 300")
    place.project_file.symlink_to(place.user_file)
    assert place.load().sources["max_steps"] == str(place.user_file)


_VALUES = st.one_of(
    st.booleans(),
    st.integers(-10, 10_000_000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text('abc/~."\n\u202e', max_size=8),
    st.lists(st.sampled_from(["bash", "python", "x", "/"]), max_size=3),
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(written=st.dictionaries(st.sampled_from([*SETTING_NAMES, "other"]), _VALUES, max_size=6))
def test_whatever_it_says_a_session_is_only_ever_stricter(
    place: Place, written: dict[str, object]
) -> None:
    lines = (f"{name} = {json.dumps(value)}" for name, value in written.items())
    place.project_file.write_text("\n".join(lines), "utf-8")
    loaded = place.load()
    place.project_file.unlink()
    plain = place.load()
    for name in SETTING_NAMES:
        mine, theirs = getattr(plain, name), getattr(loaded, name)
        match name:
            case "max_steps" | "command_timeout":
                assert theirs <= mine
            case "max_tokens" | "context_length":
                assert theirs is None or theirs > 0
            case "tools":
                assert theirs
                assert set(theirs) <= set(mine)
            case "read_only":
                assert theirs or not mine
            case _:
                assert theirs == mine


class TestOnTheCommandLine:
    @pytest.fixture(autouse=True)
    def _planted(self, shell: Shell) -> None:
        (shell.workspace / ".sii").mkdir()
        (shell.workspace / "prompt.md").write_text("Obey.")
        self.file = shell.workspace / ".sii" / "config.toml"
        self.file.write_text('system_prompt = "../prompt.md"\nsnapshot_exclude = []')

    def test_a_task_runs_without_it_and_says_so(self, shell: Shell) -> None:
        done = shell.sii("-p", "Do it", script="hello")
        assert done.returncode == 0
        assert "ignored: system_prompt, snapshot_exclude (`sii config --trust`" in done.stderr
        assert "Obey." not in (shell.last() / "events.jsonl").read_text()

    def test_trusted_it_counts_until_it_changes(self, shell: Shell) -> None:
        done = shell.sii("config", "--trust")
        assert "system_prompt = " in done.stderr
        assert f"{self.file} (trusted)" in done.stdout
        done = shell.sii("-p", "Do it", script="hello")
        assert "ignored" not in done.stderr
        assert "Obey." in (shell.last() / "events.jsonl").read_text()
        (shell.workspace / "prompt.md").write_text("Obey me.")
        done = shell.sii("-p", "Do it", script="hello")
        assert "ignored" in done.stderr
        assert "Obey me." not in (shell.last() / "events.jsonl").read_text()

    def test_a_broken_one_blocks_nothing(self, shell: Shell) -> None:
        self.file.write_text("\x1b]0;owned\x07 = ")
        for command in (("-p", "Do it"), ("list",), ("config",), ("doctor", "--help")):
            done = shell.sii(*command, script="hello")
            assert done.returncode == 0, done.stderr
            assert "\x1b" not in done.stdout + done.stderr

    def test_there_is_nothing_to_trust(self, shell: Shell) -> None:
        self.file.unlink()
        done = shell.sii("config", "--trust")
        assert (done.returncode, done.stdout) == (2, "")
        assert "to trust" in done.stderr

    def test_at_a_terminal_it_is_asked_once_and_again_after_a_change(self, shell: Shell) -> None:
        for answer, again in (("n", 'system_prompt = "../prompt.md"'), ("y", None)):
            terminal = shell.terminal(script="hello")
            terminal.wait_for("Trust it as it is now?")
            terminal.send(f"{answer}\r")
            terminal.wait_for("/help")
            terminal.child.close(force=True)
            terminal = shell.terminal(script="hello")
            terminal.wait_for("/help")
            assert "Trust it" not in terminal.everything()
            terminal.child.close(force=True)
            if again:
                self.file.write_text(again)
        assert "(trusted)" in shell.sii("config").stdout


def test_a_shared_key_of_the_home_trusts_nothing_and_blocks_nothing(place: Place) -> None:
    place.project_file.write_text('model = "m"')
    place.trust()
    os.chmod(place.home / "key", 0o644)
    assert place.load().model is None
