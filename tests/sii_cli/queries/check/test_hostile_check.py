"""What a model leaves behind to pass the check: the check runs where none of it is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Check, QueryOutcome
from recordings.storage.log import read_events
from sandbox.protocol import SandboxBackend, SandboxSpec
from sii_cli.batch.plan.plan import Attempt, BatchPlan
from sii_cli.batch.sessions.executor import LocalExecutor
from sii_cli.batch.sessions.rounds import AttemptResult
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.settings import Settings
from sii_cli.queries.check.check import Checker
from sii_cli.queries.check.result_files import ResultFiles, is_kept
from sii_cli.queries.queries import Query
from tests.fakes.scripted_model import ScriptedModel, answer, calls
from tests.sandbox.conftest import IMAGE, backend, workspace

__all__ = ["backend", "workspace"]
pytestmark = pytest.mark.hostile

QUERY: dict[str, Any] = {"id": "q", "query": "Make `answer.txt` hold 42."}


async def run(
    backend: SandboxBackend, folder: Path, query: dict[str, Any], *turns: Any, **plan: Any
) -> tuple[AttemptResult, list[Check]]:
    """Run a session whose model makes these calls; return its outcome and its checks."""
    settings = Settings(home=folder / "home", workspace=folder, image=IMAGE, tools=("bash",))
    pinned = BatchPlan(
        name="b",
        query_file="",
        query_folder=str(folder),
        queries_sha256="",
        attempts=1,
        vary={},
        feedback_rounds=plan.get("feedback_rounds", 0),
        simulated_user=None,
        settings={},
    )
    executor = LocalExecutor(
        SessionParts(settings, pinned),
        make_model=lambda settings: ScriptedModel(*turns),
        backend=backend,
    )
    attempt = Attempt(Query.model_validate(QUERY | query), 1)
    result = await executor.run(attempt, lambda attempt, item: None)
    assert result.session is not None
    events = read_events(settings.home / "recordings" / result.session)
    checks = [event.data for event in events if isinstance(event.data, Check)]
    assert not list((folder / "home" / "workspaces").glob("[!.]*")), "a copy is left"
    return result, checks


def bash(*commands: str) -> Any:
    return calls(*(("bash", json.dumps({"command": command})) for command in commands))


PLANTS = {
    "a python3 in the home": "mkdir -p ~/.local/bin ~/bin; printf '#!/bin/sh\\nexit 0\\n' >"
    " ~/.local/bin/python3; chmod +x ~/.local/bin/python3; cp ~/.local/bin/python3 ~/bin/",
    "a bash in PATH": "for d in ${PATH//:/ }; do printf '#!/bin/sh\\nexit 0\\n' > $d/bash;"
    " cp $d/bash $d/python3; chmod +x $d/bash $d/python3; done; true",
    "usercustomize": "d=$(python3 -m site --user-site); mkdir -p $d; echo 'import os; os._exit(0)'"
    " | tee $d/usercustomize.py $d/sitecustomize.py; echo 'import os; os._exit(0)' > $d/x.pth",
    "files that shells read": "echo 'exit 0' | tee ~/.bashrc ~/.profile ~/.bash_profile",
    "functions and options": "python3() { return 0; }; test() { return 0; }; grep() { return 0; };"
    " export -f python3 test grep; alias python3=true; export BASH_ENV=/tmp/env;"
    " echo 'exit 0' > /tmp/env; trap 'exit 0' EXIT; export PYTHONSTARTUP=/tmp/env",
    "a site of the system": "d=$(python3 -c 'import site; print(site.getsitepackages()[0])');"
    " echo 'import os; os._exit(0)' | tee $d/sitecustomize.py $d/x.pth; true",
    "a job that answers": "(while :; do echo 42 > /tmp/answer.txt; pkill -9 -f checks; sleep 0.01;"
    " done) >/dev/null 2>&1 &",
}


@pytest.mark.parametrize("plant", PLANTS)
async def test_nothing_planted_outside_the_workspace_passes_the_check(
    backend: SandboxBackend, tmp_path: Path, plant: str
) -> None:
    check = 'bash -c \'python3 -c "checks = open(chr(97) + (chr(110)) + \\"swer.txt\\").read()"\''
    result, (found,) = await run(
        backend, tmp_path, {"check": check}, bash(PLANTS[plant]), answer("Done.")
    )
    assert result.outcome.status == "unsolved", found.output
    assert "No such file" in found.output


BUILT = (
    "printf '#!/bin/sh\\nexit 3\\n' > new; chmod +x new; mv new built; sleep 0.5;"
    " echo checked; ./built"
)
WAITS = (
    "while :; do [ -e built ] && printf '#!/bin/sh\\nexit 0\\n' > built; sleep 0.005; done",
    "trap '' STOP TSTP; exec python3 -c \"import os, signal\nsignal.signal(20, signal.SIG_IGN)\n"
    "while True:\n  if os.fork(): os._exit(0)\n"
    "  if os.path.exists('built'): open('built', 'w').write('#!/bin/sh\\n')\"",
)


@pytest.mark.parametrize("waits", WAITS)
async def test_nothing_that_waits_for_the_check_acts_in_it(
    backend: SandboxBackend, tmp_path: Path, waits: str
) -> None:
    """What the check makes in the workspace was the session's to change while its jobs ran."""
    plant = f"({waits}) >/dev/null 2>&1 &"
    result, (check,) = await run(backend, tmp_path, {"check": BUILT}, bash(plant), answer("Done."))
    assert (result.outcome.status, check.exit_code) == ("unsolved", 3)


async def test_an_honest_answer_is_solved(backend: SandboxBackend, tmp_path: Path) -> None:
    result, _ = await run(
        backend,
        tmp_path,
        {"check": "grep -q 42 answer.txt"},
        bash("echo 42 > answer.txt"),
        answer("Done."),
    )
    assert result.outcome == QueryOutcome(status="solved", feedback_rounds=0)


def write_tests(folder: Path) -> None:
    """A workspace whose tests ask for what `calc.py` does not do yet."""
    (folder / "repo" / "tests").mkdir(parents=True)
    (folder / "repo" / "calc.py").write_text("def double(x):\n    return x\n")
    (folder / "repo" / "tests" / "run.py").write_text(
        "import os, sys\nsys.path.insert(0, os.getcwd())\n"
        "import calc\nassert calc.double(2) == 4, 'wrong'\n"
    )


CHECKED = {"workspace": "repo", "check": "python3 tests/run.py", "check_files": ["tests"]}
CHEATS = {
    "other tests": "echo pass > tests/run.py",
    "no tests": "rm -rf tests; mkdir tests; touch tests/run.py",
    "a link for a folder": "mv tests t2; mkdir evil; touch evil/run.py; ln -s evil tests",
    "a module beside the tests": "echo 'import builtins' > tests/os.py;"
    " echo 'def double(x): return 4' > tests/calc.py",
    "folders that cannot be read": "mkdir x; chmod 0 x; rm tests/run.py; chmod 0 tests",
    "a closed folder": "echo pass > tests/run.py; chmod 500 tests",
}


@pytest.mark.parametrize("cheat", CHEATS)
async def test_the_files_of_the_check_are_the_querys_own(
    backend: SandboxBackend, tmp_path: Path, cheat: str
) -> None:
    write_tests(tmp_path)
    result, (check,) = await run(backend, tmp_path, CHECKED, bash(CHEATS[cheat]), answer("Done."))
    assert result.outcome.status == "unsolved"
    assert "wrong" in check.output


ENDS = "import os; os._exit(0)"
LINKS = {
    "to it": "ln -s /run/sii-result/hidden/a a",
    "to what holds it": "ln -s /run r; ln -s r/sii-result/hidden/a a",
    "through a process": "ln -s /proc/self/root/run/sii-result/hidden/a a",
}


@pytest.mark.parametrize("link", LINKS)
async def test_no_link_leads_back_to_what_was_not_brought(
    backend: SandboxBackend, tmp_path: Path, link: str
) -> None:
    """The session's workspace is in sight of the check: patterns do not reach what is there."""
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "test_b.py").write_text("import none_of_that_name\n")
    plant = f"mkdir -p hidden/a; echo '{ENDS}' > hidden/a/test_a.py; touch hidden/a/__init__.py"
    query = {"workspace": "repo", "check_files": ["**/test_*.py"]}
    query["check"] = "python3 -m unittest discover -s . -p 'test_*.py'"
    result, (check,) = await run(
        backend, tmp_path, query, bash(f"{plant}; {LINKS[link]}"), answer("Done.")
    )
    assert result.outcome.status == "unsolved"
    assert "none_of_that_name" in check.output


UNREADABLE = {
    "closed": "chmod 0 .",
    "deep": "python3 -c \"import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\"",
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_workspace_that_cannot_be_read_is_not_solved_and_no_fault_of_the_machine(
    backend: SandboxBackend, tmp_path: Path, name: str
) -> None:
    write_tests(tmp_path)
    result, (check,) = await run(
        backend, tmp_path, CHECKED, bash(UNREADABLE[name]), answer("Done.")
    )
    assert result.outcome.status == "unsolved"
    assert "cannot be read for the check" in check.output


async def test_the_rest_is_the_sessions(backend: SandboxBackend, tmp_path: Path) -> None:
    write_tests(tmp_path)
    work = "echo 'def double(x): return 2 * x' > calc.py; mkdir -p new/deep; ln -s a new/deep/b"
    result, _ = await run(
        backend,
        tmp_path,
        CHECKED | {"check": "python3 tests/run.py && readlink new/deep/b"},
        bash(work),
        answer("Done."),
    )
    assert result.outcome.status == "solved"


async def test_the_set_up_is_run_again_and_not_over_the_answer(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "template.txt").write_text("0\n")
    query = {
        "workspace": "repo",
        # Each of these fails, or destroys the answer, where it is run over the session's files.
        "setup": ["mkdir made", "mv template.txt answer.txt", "mkdir -p ~/tool; touch ~/tool/here"],
        "check": "ls ~/tool; test -e ~/tool/here && grep 42 answer.txt && test -d made",
    }
    result, (check,) = await run(
        backend, tmp_path, query, bash("echo 42 > answer.txt; rm -r ~/tool"), answer("Done.")
    )
    assert (result.outcome.status, check.output) == ("solved", "here\n42\n")


async def test_every_feedback_round_has_a_fresh_check(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    check = "ls ~/seen; touch ~/seen; grep -q 42 answer.txt"
    result, checks = await run(
        backend,
        tmp_path,
        {"check": check},
        bash("touch ~/seen"),
        answer("Done."),
        bash("echo 42 > answer.txt"),
        answer("Now."),
        feedback_rounds=1,
    )
    assert result.outcome.status == "solved"
    assert all("No such file" in one.output for one in checks)
    assert len(checks) == 2


async def test_a_sessions_seconds_hold_its_check(backend: SandboxBackend, tmp_path: Path) -> None:
    result, (check,) = await run(
        backend,
        tmp_path,
        {"check": "sleep 300", "limits": {"seconds": 6}},
        bash("true"),
        answer("Done."),
    )
    assert (result.outcome.status, result.outcome.reason) == ("limit", "seconds")
    assert check.seconds < 8
    assert check.exit_code is None


@pytest.mark.parametrize(
    ("pattern", "kept", "others"),
    [
        ("tests", ["tests", "tests/a", "tests/a/b"], ["test", "a/tests", "tests2"]),
        ("tests/*.py", ["tests/a.py", "tests/a.py/b"], ["tests/a/b.py", "a.py", "tests/a.txt"]),
        ("**/conftest.py", ["conftest.py", "a/conftest.py", "a/b/conftest.py"], ["conftest.pyc"]),
        ("tests/**", ["tests/a", "tests/a/b"], ["other/a"]),
        ("./a//b/", ["a/b", "a/b/c"], ["a", "a/c"]),
    ],
)
def test_what_a_pattern_names(pattern: str, kept: list[str], others: list[str]) -> None:
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    assert all(is_kept(path.split("/"), parts) for path in kept)
    assert not any(is_kept(path.split("/"), parts) for path in others)


def test_only_what_is_not_kept_is_brought(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder, word in ((source, "new"), (target, "old")):
        (folder / "tests").mkdir(parents=True)
        for name in ("a.py", "tests/t.py", f"only_{word}.py", f"tests/only_{word}.py"):
            (folder / name).write_text(word)
    ResultFiles(str(source), str(target), 1 << 30, ["tests"]).copy()
    found = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*.py")}
    assert found == {
        "a.py": "new",
        "only_new.py": "new",
        "tests/t.py": "old",
        "tests/only_old.py": "old",
    }


def on_the_disk(folder: Path) -> int:
    found = {one.stat().st_ino: one.stat().st_blocks * 512 for one in folder.rglob("*")}
    return sum(found.values())


def test_names_and_holes_take_no_more_room_than_the_sessions(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source / "a", source / "b", target):
        folder.mkdir(parents=True)
    (source / "a" / "large").write_bytes(b"x" * (1 << 20))
    for number in range(100):
        (source / "b" / str(number)).hardlink_to(source / "a" / "large")
    with (source / "holes").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"middle")
        file.truncate(1 << 40)
    ResultFiles(str(source), str(target), 16 << 20, []).copy()
    assert (target / "b" / "7").read_bytes() == b"x" * (1 << 20)
    assert (target / "b" / "7").samefile(target / "a" / "large")
    assert (target / "holes").stat().st_size == 1 << 40
    with (target / "holes").open("rb") as file:
        file.seek((1 << 30) - 1)
        assert file.read(8) == b"\0middle\0"
    assert on_the_disk(target) <= on_the_disk(source) + (1 << 20)


def test_more_than_may_be_copied_is_the_sessions_own_failure(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    for number in range(20):
        (source / str(number)).write_bytes(b"x" * (1 << 20))
    with pytest.raises(OSError, match="take more than 16,777,216 bytes"):
        ResultFiles(str(source), str(target), 16 << 20, []).copy()
    assert on_the_disk(target) <= 16 << 20


async def test_no_session_makes_its_check_a_fault_of_the_machine_by_names_of_one_file(
    backend: SandboxBackend, tmp_path: Path
) -> None:
    """Copied by name it would be larger than any limit, and the session would be run again."""
    plant = "head -c 200000000 /dev/urandom > large; for n in $(seq 300); do ln large $n; done"
    query = {"check": "test -e answer.txt", "setup": ["true"]}
    result, (check,) = await run(backend, tmp_path, query, bash(plant), answer("Done."))
    assert (result.outcome.status, check.exit_code) == ("unsolved", 1)


@pytest.mark.parametrize("pattern", ["/etc", "..", "a/../b", "a/..", ""])
def test_a_pattern_stays_in_the_workspace(pattern: str) -> None:
    with pytest.raises(ValueError, match="check_files"):
        Query.model_validate(QUERY | {"check_files": [pattern]})
    assert Query.model_validate(QUERY | {"check_files": ["..a/.b/*", ".", "a/"]})


async def test_the_check_has_what_the_session_has(backend: SandboxBackend, workspace: Path) -> None:
    spec = SandboxSpec(workspace, IMAGE, env={"NAME": "value"})
    checker = Checker('test "$NAME" = value', (), backend, spec, lambda: workspace)
    assert (await checker.run(1)).passed
    other = replace(checker, command="echo told; exit 3")
    check = await other.run(2)
    assert (check.round, check.exit_code, check.passed, check.output) == (2, 3, False, "told\n")
    shutil.rmtree(workspace)


@pytest.mark.parametrize(
    ("command", "score", "error"),
    [
        ("echo '{\"score\": 0.5}' > $SII_CHECK_REPORT", 0.5, None),
        ("mkfifo $SII_CHECK_REPORT", None, "is malformed: "),
        ("mkdir $SII_CHECK_REPORT", None, "is malformed: "),
        ("ln -s /etc/passwd $SII_CHECK_REPORT", None, "is malformed: it is not JSON"),
        ("no-such-interpreter x", None, "a command of it was not found"),
        ("test -e $SII_CHECK_REPORT", None, None),
    ],
)
async def test_a_report_is_read_out_of_the_checks_own_sandbox(
    backend: SandboxBackend, workspace: Path, command: str, score: float | None, error: str | None
) -> None:
    spec = SandboxSpec(workspace, IMAGE)
    check = await Checker(command, (), backend, spec, lambda: workspace).run(1)
    assert check.score == score
    assert (check.error is None) if error is None else (error in str(check.error))
    assert not check.passed
    shutil.rmtree(workspace)


async def test_a_set_up_that_fails_in_the_checks_sandbox_is_no_verdict(
    backend: SandboxBackend, workspace: Path
) -> None:
    spec = SandboxSpec(workspace, IMAGE, setup=("exit 7",))
    (workspace.parent / "copy").mkdir()
    check = await Checker("true", (), backend, spec, lambda: workspace.parent / "copy").run(1)
    assert "The set-up command" in str(check.error)
    assert (check.passed, check.exit_code) == (False, None)


async def test_a_session_does_not_escape_its_verdict_by_code_that_never_ends(
    backend: SandboxBackend, workspace: Path
) -> None:
    (workspace / "solution.sh").write_text("echo begun; sleep 300")
    spec = SandboxSpec(workspace, IMAGE)
    checker = Checker("bash solution.sh", (), backend, spec, lambda: workspace, 0.5)
    check = await checker.run(1, seconds=4)
    assert (check.error, check.exit_code, check.passed) == (None, None, False)
    assert check.output.split("\n", 1) == ["begun", "\n(stopped after 4 s)"]
    shutil.rmtree(workspace)


async def test_a_check_that_does_not_begin_is_no_verdict(
    backend: SandboxBackend, workspace: Path
) -> None:
    spec = SandboxSpec(workspace, IMAGE, setup=("sleep 300",))
    (workspace.parent / "copy").mkdir()
    checker = Checker("true", (), backend, spec, lambda: workspace.parent / "copy")
    check = await checker.run(1, seconds=4)
    assert (check.error, check.exit_code) == ("it did not begin within 4 s", None)
