"""From a batch in which some sessions are solved to preference pairs: `pairs.jsonl`, exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.reviews.reviews import add_review
from recordings.store.summary import RecordingSummary
from recordings.trust.first_start import working_key
from sii_cli.batch.attempts import Attempts
from sii_cli.batch.report.selection import preference_pairs
from tests.fakes.batch_server import BatchServer
from tests.fakes.script import Scripted
from tests.fakes.threads import in_a_thread
from tests.recordings.export.exporting import lines, rows
from tests.sii_cli.batch.test_batch_command import CHECK, Place, query
from tests.sii_cli.shell import Shell


class LuckyServer(BatchServer):
    """What a query's script solves is solved by sessions with an odd seed alone."""

    def next_turn(self, body: dict[str, Any]) -> Scripted:
        if body["seed"] % 2 == 0:
            asked = next(one for one in body["messages"] if one["role"] == "user")
            asked["content"] = asked["content"].replace("solve=1", "solve=0")
        return super().next_turn(body)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with in_a_thread(LuckyServer()) as server:
        yield Place(tmp_path, server)


def ended(name: str, outcome: Any, query: str = "q") -> RecordingSummary:
    about = {"query": query, "attempt": int(name[1:]), "batch": "b", "outcome": outcome}
    return RecordingSummary(name, Path(name), "done", **about)


def test_solved_sessions_stand_beside_every_other_end_of_their_query_but_infra() -> None:
    outcomes = Attempts()
    ends = (
        "solved",
        "unsolved",
        "gave_up",
        "limit",
        "infra",
        None,
        "solved",
        "unchecked",
        "check_error",
    )
    for number, outcome in enumerate(ends):
        outcomes.add(ended(f"r{number}", outcome))
    outcomes.add(ended("r9", "unsolved", query="another"))
    assert preference_pairs(outcomes) == [
        {"query": "q", "chosen": better, "rejected": worse, "because": because}
        for better in ("r0", "r6")
        for worse, because in (("r1", "unsolved"), ("r2", "gave_up"), ("r3", "limit"))
    ]


def test_a_batch_becomes_preference_pairs(place: Place, shell: Shell) -> None:
    file = place.write(
        query("a", "steps=2 solve=1", check=CHECK), query("never", "steps=1", check="false")
    )
    options = ("-n", "3", "--seed", "1", "--keep", "solved", "--per-query", "2")
    told = place.run(str(file), "--out", "out", *options)
    by_attempt = {one.attempt: one for one in place.recordings() if one.query == "a"}
    assert [by_attempt[n].outcome for n in (1, 2, 3)] == ["solved", "unsolved", "solved"]
    better, worse, other = (by_attempt[n].id for n in (1, 2, 3))
    pairs = lines(place.out / "pairs.jsonl")
    assert "2 preference pairs" in told
    about = {"query": "a", "rejected": worse, "because": "unsolved"}
    assert sorted(pairs, key=lambda pair: pair["chosen"]) == sorted(
        ({"chosen": name, **about} for name in (better, other)), key=lambda pair: pair["chosen"]
    )

    user = place.folder / "user"  # whose key counts where a batch's folder is looked at as a home
    key = working_key(user / ".sii")
    add_review(by_attempt[1].folder, "ada", verdict="approve", key=key)
    asked = ("--format", "preference", "--pairs", str(place.out / "pairs.jsonl"))
    data = place.folder / "data"
    done = shell.sii("export", str(data), *asked, SII_HOME=str(place.out), HOME=str(user))
    assert done.returncode == 0, done.stderr
    (row,) = rows(data)
    assert [one["role"] for one in row["prompt"]] == ["system", "user", "assistant", "tool"]
    first = {name: row[name][0]["tool_calls"][0]["function"] for name in ("chosen", "rejected")}
    assert first["chosen"]["arguments"] == {"command": "touch solved"}
    assert first["rejected"]["arguments"] == {"command": "echo step 2 of round 1"}
    assert row["prompt_ids"]
    assert {*row["chosen_mask"]} == {*row["rejected_mask"]} == {0, 1}
    (origin,) = lines(data / "provenance.jsonl")
    assert (origin["recording"], origin["rejected"]["recording"]) == (better, worse)
    assert origin["because"] == "unsolved"
    assert lines(data / "left_out.jsonl") == [
        {
            "recording": other,
            "reason": "unapproved",
            "detail": "it is unreviewed",
            "rejected": worse,
        }
    ]
