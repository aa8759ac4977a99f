"""What a check reports, and one that cannot run, as a user of `sii batch` sees it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Check, QueryOutcome
from recordings.storage.log import read_events
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import CHECK, PROGRAM, ROOT, Place, query, wait_for
from tests.sii_cli.terminal import clean_environment


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with in_a_thread(BatchServer()) as server:
        yield Place(tmp_path, server)


def reports(report: Any, then: str = "exit 0") -> str:
    """A check that reports this."""
    text = report if isinstance(report, str) else json.dumps(report)
    return f"echo checked; printf %s '{text}' > $SII_CHECK_REPORT; {then}"


MET = {"name": "sum", "met": True}
UNMET = {"name": "cents", "met": False, "why": "999 is not 1000"}


@pytest.mark.parametrize(
    ("check", "pass_at", "outcome", "score"),
    [
        (reports({"score": 1.0}), None, "solved", 1.0),
        (reports({"score": 1}), None, "solved", 1.0),
        (reports({"score": 0.75}), None, "unsolved", 0.75),
        (reports({"score": 0.75}), 0.75, "solved", 0.75),
        (reports({"score": 0.75}), 0.8, "unsolved", 0.75),
        (reports({"score": 0.75}, "exit 1"), 0.7, "solved", 0.75),
        (reports({"score": 1.0}, "exit 1"), None, "unsolved", 1.0),
        (reports({"requirements": [MET, UNMET]}), None, "unsolved", 0.5),
        (reports({"score": 0.9, "requirements": [MET, UNMET]}), 0.9, "solved", 0.9),
        ("exit 0", 0.7, "solved", None),
    ],
)
def test_a_score_decides_as_the_query_says(
    place: Place, check: str, pass_at: float | None, outcome: str, score: float | None
) -> None:
    more = {} if pass_at is None else {"pass_at": pass_at}
    place.run(str(place.write(query("a", "steps=1", check=check, **more))), "--out", "out")
    [one] = place.recordings()
    assert (one.outcome, one.score) == (outcome, score)
    events = list(read_events(one.folder))
    [ran], [ended] = data_of(events, Check), data_of(events, QueryOutcome)
    assert (ran.score, ended.score) == (score, score)
    if "requirements" in check:
        assert [item.model_dump() for item in ran.requirements or ()] == [MET | {"why": ""}, UNMET]


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ("no-such-program", "a command of it was not found (exit code 127)"),
        ("./README", "its command cannot be executed (exit code 126)"),
        (reports("{"), "its report ($SII_CHECK_REPORT) is malformed: it is not JSON"),
        (reports('{"score": NaN}'), "it is not JSON"),
        (reports("[]"), "it is not a JSON object"),
        (reports({}), "it has neither `score` nor `requirements`"),
        (reports({"score": 1.5}), "score: Input should be less than or equal to 1"),
        (reports({"score": "1"}), "score: Input should be a valid number"),
        (reports({"score": True}), "score: Input should be a valid number"),
        (reports({"scores": 1}), "scores: Extra inputs are not permitted"),
        (reports({"score": 1, "requirements": []}), "requirements: List should have at least 1"),
        ("head -c 300000 /dev/zero > $SII_CHECK_REPORT", "it is larger than 256 KiB"),
    ],
)
def test_a_check_that_cannot_run_decides_nothing(place: Place, check: str, says: str) -> None:
    (place.folder / "repo").mkdir()
    (place.folder / "repo" / "README").write_text("text")
    file = place.write(query("a", "steps=1", workspace="repo", check=check))
    told = place.run(str(file), "--out", "out", "-n", "2", "--feedback-rounds", "2")
    assert [(one.outcome, one.rounds) for one in place.recordings()] == [("check_error", 1)] * 2
    [ran] = data_of(read_events(place.recordings()[0].folder), Check)
    assert says in str(ran.error)
    assert says in place.recordings()[0].reason
    assert "check_error 2" in told
    report = place.report()
    assert report["rates"] == []
    assert report["done"] == 2
    assert sum(cause["sessions"] for cause in report["check_errors"]) == 2
    assert report["causes"] == []


def test_checks_that_never_run_stop_the_batch(place: Place) -> None:
    queries = [query(f"q{n}", "steps=1", check="no-such-program") for n in range(9)]
    told = place.run(str(place.write(*queries)), "--out", "out", "--concurrency", "1", code=4)
    assert len(place.recordings()) == 5
    assert "checks could not run 5 times in a row, last in q4 (the check could not run" in told
    assert "fix the check, and resume with --accept-changes, which runs these" in told


def test_one_query_whose_check_never_runs_stops_the_batch(place: Place) -> None:
    good = query("good", "steps=1 solve=1", check=CHECK)
    file = place.write(good, query("bad", "steps=1", check="no-such-program"))
    told = place.run(str(file), "--out", "out", "-n", "9", "--concurrency", "1", code=4)
    assert "the check of bad could not run 5 times in a row" in told


def test_a_corrected_check_is_run_again_with_its_session(place: Place) -> None:
    good = query("good", "steps=1 solve=1", check=CHECK)
    file = place.write(good, query("bad", "steps=1 solve=1", check="no-such-program"))
    place.run(str(file), "--out", "out")
    assert "2 of 2" in place.run("--resume", "out")
    file = place.write(good, query("bad", "steps=1 solve=1", check=CHECK))
    told = place.run(str(file), "--resume", "out", "--accept-changes")
    assert "2 of 2 sessions: solved 2" in told
    assert Counter(one.outcome for one in place.recordings()) == {"solved": 2, "check_error": 1}
    report = place.report()
    assert (report["set_aside"], report["check_errors"], report["rates"][0]["pass_at"]) == (
        1,
        [],
        1.0,
    )
    assert "2 of 2" in place.run("--resume", "out")  # what was run again stays
    assert len(place.recordings()) == 3


def test_a_check_error_that_was_left_after_a_correction_is_run_by_a_plain_resume(
    place: Place,
) -> None:
    place.run(str(place.write(query("a", "steps=1 solve=1", check="no-such"))), "--out", "out")
    file = place.write(query("a", "steps=1 solve=1", check=CHECK), query("b", "steps=1"))
    options = ("--accept-changes", "--concurrency", "1", "--max-total-tokens", "1")
    place.run(str(file), "--resume", "out", *options, code=3)
    status = [*PROGRAM, "0.0", "batch", "status", str(place.out)]
    told = subprocess.run(status, **shell_of(place), check=True).stdout
    assert "0 of 2 sessions" in told
    assert "2 of 2" in place.run("--resume", "out")


def test_a_set_up_that_fails_costs_no_generation(place: Place) -> None:
    queries = [query("good", "steps=1"), query("bad", "steps=1", setup=["echo x >> ../ran; false"])]
    file = place.write(*queries)
    told = place.run(str(file), "--out", "out", "-n", "6", "--concurrency", "2", code=4)
    assert [one.query for one in place.recordings()] == ["good"] * 6
    assert "The set-up command" in told
    ran = (place.out / "workspaces" / "ran").read_text()
    assert 4 <= ran.count("x") <= 5  # its retries are those of the query, not of each attempt


LONG = "seq 100000 | tail -c 8000"
"""Fills what is kept of a check's output, so that its line is not at the log's end."""


def test_the_lines_of_a_report_are_commands_that_work(place: Place) -> None:
    said = f"{LONG}; echo '`cents` are wrong'; exit 3"
    file = place.write(query("a", "steps=1", check=said), query("b", "steps=1", check="no-such"))
    out = place.folder / "a batch"
    place.run(str(file), "--out", str(out), "-n", "2")
    text = (out / "report.md").read_text()
    commands = [line for line in text.splitlines() if line.startswith("sii show ")]
    assert len(commands) == 2
    status = subprocess.run(
        [*PROGRAM, "0.0", "batch", "status", str(out)],
        **shell_of(place),
        check=True,
    ).stdout
    assert "2 unsolved: the check failed (exit code 3)\n" in status
    assert "  | `cents` are wrong\n" in status
    assert [line.strip() for line in status.splitlines() if "sii show" in line] == commands
    for command in commands:
        words = shlex.split(command)
        assert words[-1] == str(out)
        done = subprocess.run([*PROGRAM, "0.0", *words[1:]], **shell_of(place), check=True)
        assert "outcome: " in done.stdout
    assert r"\`cents\` are wrong" in text


def shell_of(place: Place) -> dict[str, Any]:
    """A user's shell in another directory."""
    env = clean_environment() | {"SII_HOME": str(place.folder / "home"), "PYTHONPATH": str(ROOT)}
    return {"cwd": "/", "env": env, "capture_output": True, "text": True}


def test_a_run_that_runs_is_not_killed(place: Place) -> None:
    place.server._slow = 0.2
    file = place.write(query("a", "steps=99"))
    process = place.start(str(file), "--out", "out")
    wait_for(lambda: (place.out / "runs.json").exists())
    ended = []
    for _ in range(2):
        argv = [*PROGRAM, "0.0", "batch", "status", str(place.out), "--json"]
        done = subprocess.run(argv, **shell_of(place), check=True)
        ended += [run["ended"] for run in json.loads(done.stdout)["runs"]]
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert ended == ["running", "killed"]
