"""A call that failed for a reason of the installation is seen wherever a session is looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Observation
from recordings.reviews.reviews import add_review
from recordings.storage.log import read_events
from tests.fakes.search_service import SearchService
from tests.recordings.samples.told_session import ToldSession
from tests.sii_cli.shell import Done, Shell

SENTENCE = "failed for a reason of the installation, not of the model (tool_infra: web_search 1)"


@pytest.fixture
def down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.registry.make_provider", lambda settings: SearchService())


def cites(shell: Shell, *options: str) -> Done:
    return shell.sii("-p", "Who shows it?", *options, script="cites")


@pytest.mark.usefixtures("down")
def test_the_model_reads_a_sentence_and_the_recording_says_whose_fault_it_is(shell: Shell) -> None:
    cites(shell)
    [observation] = [e.data for e in read_events(shell.last()) if isinstance(e.data, Observation)]
    assert observation.error == "tool_infra"
    assert observation.text == (
        "The search failed. No search engine answered: 429. The search service cannot be used now: "
        "this is not the fault of the query, and nothing is known of what it would find."
    )


@pytest.mark.usefixtures("down")
def test_a_task_says_that_a_call_hit_an_outage(shell: Shell) -> None:
    done = cites(shell)
    assert done.returncode == 0
    assert done.stdout == "Smith et al. (2031) show it.\n"
    assert SENTENCE in done.stderr
    done = cites(shell, "--output-format", "json")
    report = json.loads(done.stdout)
    assert (report["status"], report["tool_infra"]) == ("answered", 1)
    assert SENTENCE in done.stderr


def test_a_task_without_an_outage_says_nothing_of_one(shell: Shell) -> None:
    done = shell.sii("-p", "Hello?", "--output-format", "json", script="hello")
    assert json.loads(done.stdout)["tool_infra"] == 0
    assert "tool_infra" not in done.stderr


@pytest.mark.usefixtures("down")
def test_lists_show_and_choose_what_hit_an_outage(shell: Shell) -> None:
    shell.sii("-p", "Hello?", script="hello")
    cites(shell)
    name = shell.last().name
    lines = shell.sii("list").stdout.splitlines()
    assert [line.endswith("1 outage: Who shows it?") for line in lines] == [True, False]
    chosen = shell.sii("list", "--error", "tool_infra", "--json").stdout.splitlines()
    assert [(one["id"], one["tool_infra"]) for one in map(json.loads, chosen)] == [(name, 1)]


@pytest.mark.usefixtures("down")
def test_show_review_and_approve_say_it_before_a_verdict(shell: Shell) -> None:
    cites(shell)
    shown = shell.sii("show", "last")
    assert SENTENCE in shown.stderr
    assert "tool_infra: it failed for a reason of the installation" in shown.stdout
    reviewed = shell.sii("review", "last", "--speaker", "ada", stdin="\n\ne\ns\n")
    assert reviewed.stderr.count(SENTENCE) == 1
    assert "tool_infra: it failed for a reason of the installation" in reviewed.stdout
    approved = shell.sii("approve", "last", "--speaker", "ada")
    assert approved.returncode == 0
    assert approved.stderr.count(SENTENCE) == 1


@pytest.mark.usefixtures("down")
def test_stats_count_outages_apart_from_what_the_model_did_wrong(shell: Shell) -> None:
    cites(shell)
    cites(shell)
    stats = json.loads(shell.sii("stats", "--json").stdout)
    assert stats["outages"] == {"calls": 2, "recordings": 2}
    assert stats["calls"] == {"web_search": {"calls": 2, "failed": 0}}
    assert stats["error_rate"] == 0
    lines = shell.sii("stats").stdout
    assert "outages    2 calls of 2 recordings failed for a reason of the installation" in lines


@pytest.mark.usefixtures("down")
def test_a_page_says_it_in_its_head_and_at_the_call(shell: Shell, tmp_path: Path) -> None:
    cites(shell)
    page = tmp_path / "replay.html"
    assert shell.sii("replay", "last", "--html", str(page)).returncode == 0
    text = page.read_text()
    assert "calls that hit an outage (tool_infra): 1" in text
    assert "tool_infra: it failed for a reason of the installation, not of the model" in text


def test_a_recording_without_one_is_shown_as_before(shell: Shell, tmp_path: Path) -> None:
    shell.recorded()
    for command in (["show", "last"], ["approve", "last", "--speaker", "ada"], ["list"], ["stats"]):
        done = shell.sii(*command)
        assert "tool_infra" not in done.stdout + done.stderr
        assert "outage" not in done.stdout + done.stderr
    assert json.loads(shell.sii("list", "--json").stdout)["tool_infra"] == 0


def told(shell: Shell) -> ToldSession:
    """A round with an outage, then one without."""
    _, folder = shell.store.create_folder()
    told = ToldSession.create(folder)
    told.user("Who shows it?")
    told.step("", ("web_search", {"query": "x"}, "It failed."), error="tool_infra")
    told.step("Smith et al. (2031) show it.")
    told.user("Thanks.")
    told.step("Welcome.")
    told.end()
    add_review(folder, "ada", verdict="approve")
    return told


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


def test_an_export_trains_what_follows_an_outage_only_where_it_is_asked_to(shell: Shell) -> None:
    generated = told(shell).generated
    done = shell.sii("export", "out", "--format", "tokens")
    assert "left out: after_outage 1 " in done.stderr
    out = shell.workspace / "out"
    [left] = [json.loads(line) for line in (out / "left_out.jsonl").read_text().splitlines()]
    assert (left["reason"], left["step"]) == ("after_outage", 2)
    assert sum(sum(row["loss_mask"]) for row in rows(out)) == len(generated[0]) + len(generated[2])
    assert json.loads((out / "manifest.json").read_text())["policy"]["after_outage"] == "mask"
    card = (out / "README.md").read_text()
    assert "1 × after_outage: an earlier call of the round hit an outage" in card
    done = shell.sii("export", "all", "--format", "tokens", "--train-after-outage")
    assert "left out" not in done.stderr
    all_rows = rows(shell.workspace / "all")
    assert sum(sum(row["loss_mask"]) for row in all_rows) == sum(map(len, generated))


def test_inspect_sample_names_the_step_and_the_reason(shell: Shell) -> None:
    told(shell)
    shown = shell.sii("inspect-sample", "last").stdout
    assert "after_outage" in shown
    assert "an earlier call of its round hit an outage" in shown
