"""Names that others gave, in lists and in commands that are said: a name is a name and no more."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.store.references import References
from sandbox.bubblewrap.backend import ID_VARIABLE
from sandbox.client.launch import MOUNTED, new_name
from sandbox.docker.backend import _no_image
from sandbox.docker.leftovers import OWNER_LABEL, is_dead, owner_pid, remove_leftovers
from sandbox.protocol import WORKSPACE
from tests.sii_cli.shell import Done, Shell

pytestmark = pytest.mark.hostile

NAMES = ("--all", "-rf", "20990101;touch PWNED;#", "$(id)", "`id`", "a b", "a&b", "a|b", "~", "a'b")
SAID = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ok"}]}


def _import(shell: Shell, document: dict[str, Any]) -> Done:
    (shell.workspace / "data.jsonl").write_text(json.dumps(document))
    return shell.sii("import", "data.jsonl")


def test_a_folder_whose_name_is_more_than_a_word_is_no_recording(shell: Shell) -> None:
    name = _import(shell, SAID).stdout.split()[0]
    for other in NAMES:
        shutil.copytree(shell.store.root / name, shell.store.root / other)
    assert shell.store.ids() == [name]
    assert sorted(shell.store.unnamed()) == sorted(NAMES)
    done = shell.sii("list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [name]
    assert f"Not listed: {len(NAMES)} folders" in done.stderr
    for other in NAMES:
        done = shell.sii("run", "-r", other, "go on")
        assert f"sii trust {other}" not in done.stderr


def test_what_a_folder_without_an_id_names_is_kept_all_the_same(shell: Shell) -> None:
    name = _import(shell, SAID).stdout.split()[0]
    (shell.store.root / name).rename(shell.store.root / "my good run")
    claims = References(shell.store)
    assert list(claims.trees()) == []
    assert list(claims.workspaces) == ["my good run"]


def test_a_command_to_be_said_holds_a_foreign_name_as_one_word() -> None:
    image = "x; touch PWNED"
    (command,) = re.findall("`(.*)`", _no_image(image))
    assert shlex.split(command) == ["docker", "pull", image]


class _Api:
    """An engine with one container, whose label came with its image."""

    def __init__(self, name: str, label: str) -> None:
        self.listed = [{"Id": "c", "Names": [name], "State": "exited"}]
        self.listed[0]["Labels"] = {OWNER_LABEL: label}  # type: ignore[assignment]
        self.removed: list[str] = []

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return self.listed

    def remove_container(self, container: str, **_: Any) -> None:
        self.removed.append(container)


@pytest.mark.parametrize("name", ["/database", "/sii-", "/sii-0123456789ag", "/x-sii-0123456789ab"])
def test_a_container_that_only_has_the_label_is_never_removed(name: str) -> None:
    api = _Api(name, "another-boot:1:2:3")
    assert (remove_leftovers(api), api.removed) == (0, [])
    api = _Api(f"/{new_name()}", "another-boot:1:2:3")
    assert (remove_leftovers(api), api.removed) == (1, ["c"])


@pytest.mark.parametrize("pid", ["²", "٣", "9" * 5000, "-1", "", "1 "])
def test_a_label_with_something_else_than_a_pid_is_nobodys(pid: str) -> None:
    label = f"boot:1:{pid}:3"
    assert owner_pid(label) is None
    assert not is_dead(label, running=False)


@pytest.fixture
def posing(request: pytest.FixtureRequest) -> Iterator[None]:
    """A process that calls itself bwrap, as a command in a container can."""
    env = {**os.environ, ID_VARIABLE: request.param}
    argv = ["bwrap", "-c", "read x", "-", MOUNTED, "/etc", WORKSPACE]
    with subprocess.Popen(argv, executable="/bin/sh", env=env, stdin=subprocess.PIPE) as process:
        yield
        process.kill()


@pytest.mark.parametrize("posing", ["\x1b]0;owned\x07fake", "sii-0123456789ab\n"], indirect=True)
def test_a_process_that_poses_as_a_sandbox_writes_nothing_into_the_list(
    posing: None, tmp_path: Path
) -> None:
    from sandbox.bubblewrap.running import running

    assert all(re.fullmatch("sii-[0-9a-f]{12}", one.sandbox_id) for one in running())


@pytest.mark.parametrize(
    "wrong",
    [
        *({**SAID, "tools": tools} for tools in (5, {"a": 1}, [1], "[1]", "{}", "5")),
        *(
            {"messages": [{"role": "assistant", "content": "", **more}]}
            for more in (
                {"reasoning": {"a": 1}},
                {"tool_calls": [{"id": 7, "function": {"name": "bash"}}]},
                {"tool_calls": [{"id": {}, "function": {"name": "bash"}}]},
            )
        ),
    ],
)
def test_what_is_no_conversation_is_said_and_leaves_no_recording(
    shell: Shell, wrong: dict[str, Any]
) -> None:
    done = _import(shell, wrong)
    assert done.returncode == 2
    assert "is not a conversation" in done.stderr
    assert shell.store.names() == []


def test_what_is_too_long_to_be_recorded_is_said_and_leaves_no_recording(shell: Shell) -> None:
    done = _import(shell, {"messages": [{"role": "user", "content": "x" * (32 << 20)}]})
    assert "data.jsonl:1 was not imported: An event of 32 MiB is too long" in done.stderr
    assert done.returncode != 0
    assert shell.store.names() == []
