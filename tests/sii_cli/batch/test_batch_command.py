"""`sii batch` as a team uses it: run, stopped, killed, resumed, and read from its report."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.authors import authors_of
from recordings.events import (
    Check,
    ModelResponse,
    Observation,
    QueryOutcome,
    SessionStart,
    SimulatedUser,
    UserMessage,
)
from recordings.reviews.reviews import read_reviews, tags
from recordings.storage.log import read_events
from recordings.store.store import RecordingStore
from recordings.store.summary import RecordingSummary
from recordings.verify import verify
from sii_cli.batch.attempts import attempt_name_of
from tests.fakes.batch_server import BatchServer
from tests.fakes.script import Turn
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.recomputed import recomputed, reported
from tests.sii_cli.terminal import clean_environment

PROGRAM = [sys.executable, "-m", "tests.sii_cli.batch.sii_with_fake_sandboxes"]
ROOT = Path(__file__).parents[3]
CHECK = "test -f solved || { echo there is no file solved; exit 3; }"


class Place:
    """A folder with a query file, and a server to run it against."""

    def __init__(self, folder: Path, server: BatchServer) -> None:
        self.folder = folder
        self.server = server
        self.out = folder / "out"

    def write(self, *queries: dict[str, Any]) -> Path:
        path = self.folder / "queries.jsonl"
        path.write_text("".join(json.dumps(query) + "\n" for query in queries))
        return path

    def start(self, *arguments: str, faults: float = 0.0) -> subprocess.Popen[str]:
        """Begin `sii batch …`."""
        env = clean_environment() | {
            "SII_BASE_URL": self.server.base_url,
            "SII_HOME": str(self.folder / "home"),
            "SII_RETRIES": "1",
            "SII_IDLE_TIMEOUT": "3",
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.folder),
        }
        return subprocess.Popen(
            [*PROGRAM, str(faults), "batch", *arguments],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, faults: float = 0.0) -> str:
        """Run `sii batch …`; return what it prints."""
        process = self.start(*arguments, faults=faults)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, err
        return out + err

    def recordings(self) -> list[RecordingSummary]:
        return list(RecordingStore(self.out / "recordings").list())

    def generated(self) -> list[int]:
        """Tokens of the answers that stand in each recording."""
        return [
            sum(
                response.usage.completion_tokens if response.usage else 0
                for response in data_of(read_events(one.folder), ModelResponse)
            )
            for one in self.recordings()
        ]

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.out / "report.json").read_text())
        return report

    def log(self) -> str:
        """What was told so far."""
        path = self.out / "log.txt"
        return path.read_text() if path.exists() else ""

    def check_every_session_counts_once(self, queries: int, attempts: int) -> None:
        """Each job has one recording with an outcome that counts, and every recording is whole."""
        counted = Counter(
            attempt_name_of(one) for one in self.recordings() if one.outcome not in (None, "infra")
        )
        assert len(counted) == queries * attempts
        assert set(counted.values()) == {1}
        assert all(verify(one.folder).whole for one in self.recordings() if one.outcome)
        assert not list((self.out / "workspaces").glob("[!.]*")), "a copy of a workspace is left"
        assert reported(self.report()) == recomputed(self.out)


def query(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "query": script, **more}


EASY_AND_HOPELESS = (
    query("a", "steps=1 solve=1", check=CHECK),
    query("b", "steps=1", check="false"),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with in_a_thread(BatchServer()) as server:
        yield Place(tmp_path, server)


def test_every_status_is_told_apart(place: Place) -> None:
    file = place.write(
        query("at-once", "steps=2 solve=1", check=CHECK),
        query("with-feedback", "steps=1 solve=2", check=CHECK),
        query("never", "steps=1", check=CHECK),
        query("gives-up", "steps=0", check=CHECK),
        query("no-check", "steps=1", followups=["And more."]),
        query("loop", "say=loop"),
        query("long", "say=long"),
        query("steps", "steps=9", limits={"steps": 3}),
        query("tokens", "steps=9", limits={"tokens": 40}),
    )
    told = place.run(str(file), "--out", "out", "--feedback-rounds", "1")
    by_query = {one.query: one for one in place.recordings()}
    assert {name: one.outcome for name, one in by_query.items()} == {
        "at-once": "solved",
        "with-feedback": "solved",
        "never": "unsolved",
        "gives-up": "gave_up",
        "no-check": "unchecked",
        "loop": "loop",
        "long": "cut_off",
        "steps": "limit",
        "tokens": "limit",
    }
    assert by_query["steps"].reason == "3 steps (max_steps)"
    assert by_query["tokens"].reason == "tokens"
    assert by_query["no-check"].rounds == 2
    assert "9 of 9 sessions" in told
    place.check_every_session_counts_once(9, 1)


def test_feedback_is_the_checks_output_and_of_the_querys_origin(place: Place) -> None:
    file = place.write(query("a", "steps=1 solve=2", check=CHECK))
    place.run(str(file), "--out", "out", "--feedback-rounds", "3")
    [one] = place.recordings()
    events = list(read_events(one.folder))
    said = [
        (event.origin, event.data.text) for event in events if isinstance(event.data, UserMessage)
    ]
    assert said[0] == ("query", "steps=1 solve=2")
    assert said[1][0] == "query"
    assert "there is no file solved" in said[1][1]
    checks = data_of(events, Check)
    assert [check.passed for check in checks] == [False, True]
    assert [one.feedback_rounds for one in data_of(events, QueryOutcome)] == [1]


def test_a_second_model_plays_the_user(place: Place) -> None:
    file = place.write(query("a", "steps=1 solve=2", check=CHECK))
    options = ("--feedback-rounds", "1", "--simulate-user", "glm")
    place.run(str(file), "--out", "out", *options)
    [one] = place.recordings()
    assert one.outcome == "solved"
    events = list(read_events(one.folder))
    [played] = [event for event in events if event.type == "simulated_user"]
    assert isinstance(played.data, SimulatedUser)
    assert "there is no file solved" in played.data.messages[0]["content"]
    words = [one.text for one in data_of(events, UserMessage)]
    assert words[1] == played.data.reply != ""
    assert played.origin == "query"


def test_wall_time_ends_a_session_and_the_model_is_not_told_of_a_human(place: Place) -> None:
    place.server._slow = 0.05
    file = place.write(query("a", "steps=99", limits={"seconds": 1.0}))
    place.run(str(file), "--out", "out")
    [one] = place.recordings()
    assert (one.outcome, one.reason) == ("limit", "seconds")
    [stop] = [event for event in read_events(one.folder) if event.type == "interrupt"]
    assert stop.origin == "harness"


def test_a_limit_that_is_reached_before_the_first_word_ends_the_session(place: Place) -> None:
    file = place.write(*(query(f"q{n}", "steps=30", limits={"seconds": 1e-6}) for n in range(4)))
    place.run(str(file), "--out", "out")
    assert [(one.outcome, one.reason) for one in place.recordings()] == [("limit", "seconds")] * 4
    assert all(one.steps <= 1 for one in place.recordings())


def test_attempts_and_variants_are_run_and_pass_at_k_is_reported(place: Place) -> None:
    file = place.write(
        query("a", "steps=1 solve=1", check=CHECK), query("b", "steps=1", check="false")
    )
    place.run(str(file), "--out", "out", "-n", "2", "--vary", "temperature=0.5,1.0")
    assert len(place.recordings()) == 8
    report = place.report()
    assert report["rates"][0] == {"k": 1, "pass_at": 0.5, "pass_all": 0.5}
    assert [row["sessions"] for row in report["by_query"]] == [4, 4]
    one = place.recordings()[0]
    [start] = data_of(read_events(one.folder), SessionStart)
    assert start.settings["temperature"] == start.variant["temperature"]
    text = (place.out / "report.md").read_text()
    assert "pass@k" in text
    assert "the check failed (exit code 1)" in text


def test_what_is_kept_is_tagged_and_pairs_are_written(place: Place) -> None:
    file = place.write(
        query("a", "steps=1 solve=1", check=CHECK), query("b", "steps=1", check="false")
    )
    place.run(str(file), "--out", "out", "-n", "3", "--keep", "solved", "--per-query", "2")
    tagged = [one for one in place.recordings() if "to-review" in tags(read_reviews(one.folder))]
    assert [one.query for one in tagged] == ["a", "a"]
    assert (place.out / "pairs.jsonl").read_text() == ""


def test_who_wrote_a_query_is_an_author_of_its_recordings(place: Place) -> None:
    queries = place.write(
        {"id": "a", "query": "solve it", "author": "quinn"}, {"id": "b", "query": "solve it"}
    )
    place.run(str(queries), "--out", str(place.out), "--speaker", "lead")
    by_query = {one.query: authors_of(one.folder) for one in place.recordings()}
    assert by_query == {"a": {"quinn"}, "b": set()}


def test_mistakes_stop_everything_before_it_starts(place: Place) -> None:
    file = place.write(query("a", "x"), query("a", "y", tools=["sudo"]))
    told = place.run(str(file), "--out", "out", code=2)
    assert "queries.jsonl:2: id: 'a' is taken by line 1." in told
    assert not place.out.exists()
    assert "1 mistake in" in place.run("--validate", str(file), code=2)


def test_what_cannot_be_run_is_refused_before_anything_is_made(place: Place) -> None:
    file = place.write(query("a", "steps=1"))
    twice = place.run(str(file), "--out", "out", "--vary", "temperature=0.5,0.50", code=2)
    assert "--vary: a value of temperature is given twice" in twice
    assert not place.out.exists()
    assert "is not a directory: name another" in place.run(str(file), "--out", str(file), code=2)


def test_a_batch_is_pinned(place: Place) -> None:
    file = place.write(query("a", "steps=1"))
    place.run(str(file), "--out", "out", "--temperature", "0.5")
    assert "holds a batch" in place.run(str(file), "--out", "out", code=2)
    assert "1 of 1" in place.run("--resume", "out")
    told = place.run("--resume", "out", "--temperature", "0.7", code=2)
    assert "temperature was 0.5 and is 0.7" in told
    file = place.write(query("a", "steps=1"), query("b", "steps=1"))
    assert "the queries are others" in place.run(str(file), "--resume", "out", code=2)
    assert "2 of 2" in place.run(str(file), "--resume", "out", "--accept-changes")
    assert sorted(one.query or "" for one in place.recordings()) == ["a", "b"]


def test_a_damaged_folder_is_told_in_a_sentence_and_nothing_is_run(place: Place) -> None:
    place.run(str(place.write(query("a", "steps=1"))), "--out", "out")
    for name in ("batch.json", "queries.jsonl", "runs.json"):
        path = place.out / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        for command in (("--resume", "out"), ("status", "out")):
            told = place.run(*command, code=2)
            assert name in told
            assert "damaged: put it back" in told
        path.write_bytes(whole)
    (place.out / "report.json").write_text("{")
    assert "1 of 1" in place.run("--resume", "out")
    assert place.report()["done"] == 1


def test_queries_that_are_dropped_from_a_batch_are_set_aside(place: Place) -> None:
    place.run(str(place.write(query("a", "steps=1"), query("b", "steps=1"))), "--out", "out")
    file = place.write(query("b", "steps=1"), query("c", "steps=1"))
    told = place.run(str(file), "--resume", "out", "--accept-changes")
    assert "2 of 2 sessions" in told
    report = place.report()
    assert (report["done"], report["set_aside"]) == (2, 1)
    assert [row["query"] for row in report["by_query"]] == ["b", "c"]


@pytest.mark.hostile
def test_the_servers_of_an_account_hold_no_escape_sequence(place: Place) -> None:
    place.run(str(place.write(query("a", "steps=1"))), "--out", "out")
    runs = place.folder / "out" / "runs.json"
    account = json.loads(runs.read_text())
    account[-1]["servers"] = ["http://\x1b]0;owned\x07\nsii: all is well"]
    runs.write_text(json.dumps(account))
    told = place.run("--resume", "out")
    assert "the servers were http://" in told
    assert "\x1b" not in told
    assert "\nsii: all is well" not in told


def test_another_model_is_refused_and_another_url_is_told(place: Place) -> None:
    file = place.write(*(query(f"q{n}", "steps=2") for n in range(6)))
    options = ("--concurrency", "1")
    place.run(str(file), "--out", "out", "--max-total-tokens", "1", *options, code=3)
    place.server.context_length //= 2
    told = place.run("--resume", "out", code=2)
    assert "serves glm (65536 tokens of context), but the batch is recorded with glm" in told
    assert "--accept-changes" in told
    place.server.context_length *= 2
    with in_a_thread(BatchServer()) as other:
        place.server, first = other, place.server
        told = place.run("--resume", "out", "--max-total-tokens", "60", *options, code=3)
        assert f"the servers were {first.base_url} and are {other.base_url}." in told
        other.context_length //= 2
        place.run("--resume", "out", "--accept-changes")
    place.check_every_session_counts_once(6, 1)
    servers = [run["servers"] for run in place.report()["runs"]]
    assert servers[-1] == [other.base_url] != servers[0]
    assert place.report()["served"] == [
        "glm (131072 tokens of context)",
        "glm (65536 tokens of context)",
    ]


def test_a_server_that_comes_back_with_another_model_is_not_worked_with(place: Place) -> None:
    place.server._slow = 0.02
    file = place.write(*(query(f"q{n}", "steps=1") for n in range(30)))
    process = place.start(str(file), "--out", "out", "--concurrency", "2")
    wait_for(lambda: any(one.outcome for one in place.recordings()))
    place.server.context_length //= 2
    wait_for(lambda: "65536 tokens of context" in place.log())
    time.sleep(1.0)
    place.server.context_length *= 2
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    place.check_every_session_counts_once(30, 1)
    starts = [data_of(read_events(one.folder), SessionStart)[0] for one in place.recordings()]
    assert {start.context_length for start in starts} == {131072}


def test_what_a_killed_run_used_counts_and_what_it_left_is_removed(place: Place) -> None:
    place.server._slow = 0.02
    file = place.write(*(query(f"q{n}", "steps=30") for n in range(4)))
    process = place.start(str(file), "--out", "out", "--concurrency", "4")
    wait_for(lambda: len(place.generated()) == 4 and min(place.generated()))
    process.kill()
    process.communicate()
    used = sum(place.generated())
    assert list((place.out / "workspaces").glob("[!.]*"))
    told = place.run("--resume", "out", "--max-total-tokens", "20", code=3)
    assert "the budget of 20 tokens is used up" in told
    report = place.report()
    assert report["done"] == 0
    assert report["tokens"] == used
    assert [run["ended"] for run in report["runs"]] == [
        "killed",
        "the budget of 20 tokens is used up",
    ]
    place.server._slow = 0.0
    place.run("--resume", "out")
    place.check_every_session_counts_once(4, 1)


def test_two_runners_of_one_batch_are_refused(place: Place) -> None:
    place.server._slow = 0.05
    file = place.write(query("a", "steps=20"))
    first = place.start(str(file), "--out", "out")
    wait_for(lambda: bool(place.recordings()))
    assert "is running" in place.run("--resume", "out", code=2)
    assert "running 1" in place.run("status", "out")
    first.kill()
    first.communicate()


def test_a_budget_stops_the_run_and_more_of_it_goes_on(place: Place) -> None:
    file = place.write(*(query(f"q{n}", "steps=3") for n in range(8)))
    options = ("--concurrency", "1", "--gpus", "4")
    told = place.run(str(file), "--out", "out", "--max-total-tokens", "200", *options, code=3)
    assert "the budget of 200 tokens is used up" in told
    assert 0 < len(place.recordings()) < 8
    place.run("--resume", "out")
    place.check_every_session_counts_once(8, 1)
    runs = place.report()["runs"]
    assert [(run["concurrency"], run["gpus"]) for run in runs] == [(1, 4)] * 2, "as before"


def test_ctrl_c_finishes_what_runs_and_twice_stops_it(place: Place) -> None:
    place.server._slow = 0.02
    file = place.write(*(query(f"q{n}", "steps=4") for n in range(12)))
    process = place.start(str(file), "--out", "out", "--concurrency", "3")
    wait_for(lambda: len(place.recordings()) >= 3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "resume with `sii batch --resume" in err
    ended = place.recordings()
    assert all(one.outcome == "unchecked" for one in ended)
    assert len(ended) < 12

    process = place.start("--resume", "out", "--concurrency", "3")
    wait_for(lambda: len(place.recordings()) >= len(ended) + 3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    place.run("--resume", "out")
    place.check_every_session_counts_once(12, 1)


def test_no_server_is_waited_for_and_burns_nothing(place: Place) -> None:
    file = place.write(*(query(f"q{n}", "steps=1") for n in range(3)))
    port = place.server.port
    with in_a_thread(BatchServer()) as other:
        gone = other.base_url
    place.server = BatchServer()
    place.server.port = int(gone.split(":")[2].split("/")[0])
    assert place.server.port != port
    process = place.start(str(file), "--out", "out")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("sii: web_search is refused: ")
    assert process.stderr.readline() == "No session is started: waiting for the server.\n"
    with in_a_thread(place.server):
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    place.check_every_session_counts_once(3, 1)
    assert len(place.recordings()) == 3


def test_a_refused_search_is_told_once_and_only_where_a_query_may_search(place: Place) -> None:
    refusal = "sii: web_search is refused: "
    searching = place.write(query("a", "steps=1"), query("b", "steps=1", tools=["bash"]))
    assert place.run(str(searching), "--out", "out").count(refusal) == 1
    assert refusal not in place.run("--resume", "out")
    others = place.write(query("b", "steps=1", tools=["bash"]))
    assert refusal not in place.run(str(others), "--out", "others")


def test_a_machine_on_which_nothing_works_is_told_at_once(place: Place) -> None:
    file = place.write(*(query(f"q{n}", "steps=1") for n in range(9)))
    told = place.run(str(file), "--out", "out", faults=1.0, code=4)
    assert "The engine answers with an error." in told
    assert all(one.outcome == "infra" for one in place.recordings())


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_and_doubles_nothing(place: Place) -> None:
    place.server._slow = 0.002
    file = place.write(*(query(f"q{n}", "steps=3 solve=1", check=CHECK) for n in range(20)))
    process = place.start(str(file), "--out", "out", "--concurrency", "6")
    for _ in range(6):
        time.sleep(random.uniform(0.5, 2.0))
        process.kill()
        process.communicate()
        if not (place.out / "batch.json").exists():
            process = place.start(str(file), "--out", "out", "--concurrency", "6")
        else:
            process = place.start("--resume", "out", "--concurrency", "6")
    assert process.wait(120) == 0
    process.communicate()
    counted = Counter(attempt_name_of(one) for one in place.recordings() if one.outcome == "solved")
    assert counted == Counter({f"q{n}#1": 1 for n in range(20)})


@pytest.mark.slow
def test_with_faults_everywhere_every_session_is_accounted_for_once(tmp_path: Path) -> None:
    with in_a_thread(BatchServer(faults=0.05, seed=1)) as server:
        place = Place(tmp_path, server)
        scripts = ["steps=2 solve=1", "steps=1", "say=loop", "steps=1 solve=2"]
        queries = [query(f"q{n}", scripts[n % 4], check=CHECK) for n in range(200)]
        options = ("-n", "2", "--concurrency", "24", "--feedback-rounds", "1")
        file = place.write(*queries)
        process = place.start(str(file), "--out", "out", *options, faults=0.05)
        _, err = process.communicate(timeout=500)
        for _ in range(5):  # what was given up for now is taken up again
            if process.returncode == 0:
                break
            assert process.returncode == 4, err
            process = place.start("--resume", "out", "--concurrency", "24", faults=0.05)
            _, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
        place.check_every_session_counts_once(200, 2)
        report = place.report()
        assert sum(row["sessions"] for row in report["statuses"]) == 400
        could_solve = [one for one in counting(place) if int((one.query or "q0")[1:]) % 4 in (0, 3)]
        assert len(could_solve) == 200
        for one in could_solve:
            assert one.outcome == "solved" or lost_its_sandbox(one)


def counting(place: Place) -> list[RecordingSummary]:
    return [one for one in place.recordings() if one.outcome not in (None, "infra")]


def lost_its_sandbox(one: RecordingSummary) -> bool:
    observations = data_of(read_events(one.folder), Observation)
    return any(data.error == "sandbox_lost" for data in observations)


def wait_for(condition: Any, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.hostile
def test_a_stopped_batch_leaves_what_takes_minutes_to_remove_to_the_next_run(place: Place) -> None:
    many = "import os\nfor n in range(30000): os.mkdir(str(n))"
    place.server.next_turn = lambda body: (  # type: ignore[method-assign]
        Turn("Done.")
        if body["messages"][-1]["role"] == "tool"
        else Turn(calls=[("python", {"code": many})])
    )
    file = place.write(query("a", "steps=1"))
    batch = place.start(str(file), "--out", "out")
    while not any(one.outcome for one in place.recordings()):
        assert batch.poll() is None
        time.sleep(0.05)
    batch.terminate()
    time.sleep(0.3)
    batch.terminate()
    stopped = time.monotonic()
    _, told = batch.communicate(timeout=120)
    assert time.monotonic() - stopped < 6
    assert "left: 1 copy of a workspace; `sii batch --resume" in told
    told = place.run("--resume", "out")
    assert "removing what earlier runs left: 1 copy of a workspace." in told
    place.check_every_session_counts_once(1, 1)
