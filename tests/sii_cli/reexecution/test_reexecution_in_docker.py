"""`sii replay --execute` on sessions that ran in real sandboxes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from sandbox.docker.backend import DockerBackend
from tests.fakes.scripted_model import answer, calls
from tests.sii_cli.reexecution.running_again import bash, python, record
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.docker

DONE = answer("Done.")
MODULE = "def double(n):\n    return 2 * n\n"
TEST = "from double import double\n\ndef test_double():\n    assert double(2) == 4\n"


async def _session(root: Path, begin: Path) -> Path:
    return await record(
        root,
        bash("id -un; pwd; ls; cat double.py; nproc >/dev/null"),
        calls(
            ("read_file", json.dumps({"path": "double.py"})),
            ("read_file", json.dumps({"path": "test_double.py"})),
        ),
        bash("python3 -m pytest -q -p no:cacheprovider; echo $?"),
        calls(
            ("edit_file", json.dumps({"path": "double.py", "edits": [{"old": "2", "new": "3"}]}))
        ),
        bash("export LEVEL=7; python3 -m pytest -q -p no:cacheprovider | grep -c assert; false"),
        bash("echo $LEVEL; cat /proc/self/status | grep CapEff; cat none"),
        bash("sleep 60", timeout=1),
        python("import double, os\ndouble.double(4), sorted(os.listdir('.'))"),
        bash("date; mktemp; echo $$; ls -la --time-style=full-iso"),
        calls(("no_such_tool", "{}"), ("bash", "{broken")),
        DONE,
        backend=DockerBackend(),
        begin=begin,
    )


def test_a_real_session_is_reproduced_and_a_planted_difference_is_found(
    shell: Shell, tmp_path: Path
) -> None:
    begin = tmp_path / "begin"
    begin.mkdir()
    (begin / "double.py").write_text(MODULE)
    (begin / "test_double.py").write_text(TEST)
    folder = asyncio.run(_session(tmp_path / "session", begin))
    shell.store.root.mkdir(parents=True)
    folder.rename(shell.store.root / folder.name)
    (tmp_path / "session/home/snapshots").rename(shell.home / "snapshots")

    def execute(*more: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
        done = shell.sii("replay", "last", "--execute", "--json", *more)
        lines = [orjson.loads(line) for line in done.stdout.splitlines()]
        calls = [line for line in lines if line["type"] == "call"]
        return done.returncode, lines[-1], calls

    code, end, reports = execute()
    assert {report["outcome"] for report in reports} == {"identical", "equal"}, reports
    rules = {name for report in reports for name in report["rules"]}
    assert rules >= {"calendar-times", "temp-names", "iso-times"}
    assert (code, end["score"], end["compared"]) == (0, 1.0, 12)
    assert (end["steps_with_files"], end["files_differ"]) == (10, [])

    (begin / "double.py").write_text(MODULE.replace("return", "return 0 or"))
    code, end, reports = execute("--workspace", str(begin))
    assert code == 1
    assert end["files_differ"][0] == 0
    different = [report for report in reports if report["outcome"] == "different"]
    assert [report["step"] for report in different[:2]] == [1, 2]
    assert different[1]["label"] == "read_file double.py"
    assert "return 0 or 2 * n" in different[1]["diff"]
    assert end["first_difference"] == {"seq": reports[0]["seq"], "step": 1}


@pytest.fixture
def demo_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo makes a workspace among the temporary files, which its user looks at."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.usefixtures("demo_folders")
def test_the_demo_is_reproduced_without_more_words(shell: Shell) -> None:
    assert shell.sii("demo", SII_BASE_URL="").returncode == 0
    done = shell.sii("replay", "last", "--execute")
    assert done.returncode == 0, done.stdout
    assert "Reproduced 8 of 8 observations: 100.0%" in done.stdout
    assert "The files were the same after 6 of 6 steps." in done.stdout
    first = done.stdout.split()[2]
    watched = shell.sii("replay", "last", "--execute", "--step", "--until", first)
    assert "Reproduced 1 of 1 observations" in watched.stdout
    assert watched.stderr.startswith("next: bash ls -R")


@pytest.mark.usefixtures("demo_folders")
def test_an_image_that_is_gone_is_told(shell: Shell) -> None:
    shell.sii("demo")
    done = shell.sii("replay", "last", "--execute", "--image", "no-such-image:1")
    assert done.returncode == 4
    assert "The image no-such-image:1 is not here" in done.stderr
    assert done.stderr.count("\n") == 1
