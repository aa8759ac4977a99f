"""Queries name data sets that the home has added; a foreign one asks first, as for all it opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.events import HarnessMessage, SandboxStart
from recordings.storage.log import read_events
from recordings.trust.home_key import home_key
from sii_cli.batch.plan.pinned import load_pinned, pin
from sii_cli.batch.plan.plan import BatchPlan, pinned_settings, sha256_of
from sii_cli.config.settings import Settings
from sii_cli.data_sets.registry import add_data_set
from sii_cli.queries.queries import Query
from sii_cli.queries.query_files import read_query_file
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import Place, query


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.csv").write_text("film\n")
    with in_a_thread(BatchServer()) as server:
        made = Place(tmp_path, server)
        for name in ("films", "wiki"):
            add_data_set(tmp_path / "home", name, tmp_path / "films", license_name="CC0-1.0")
        yield made


def test_a_query_is_shown_what_it_names_after_a_yes(place: Place) -> None:
    file = place.write(
        query("a", "steps=1", data=["films"]), query("b", "steps=1"), query("c", "steps=0")
    )
    refused = place.run(str(file), "--out", "out", code=2)
    assert "data: to show in the sandbox, of this home's data sets" in refused
    assert "say --allow data." in refused
    assert not place.out.exists()

    place.run(str(file), "--out", "out", "--allow", "data")
    shown = {}
    for one in place.recordings():
        events = list(read_events(one.folder))
        starts = data_of(events, SandboxStart)
        notes = [one.text for one in data_of(events, HarnessMessage)]
        shown[one.query] = (
            sorted(use.name for start in starts for use in start.data or ()),
            any("/data/films" in text for text in notes),
        )
    assert shown == {"a": (["films"], True), "b": ([], False), "c": ([], False)}
    assert list(load_pinned(place.out).plan.data_sets) == ["films"]


def test_what_the_user_gives_to_all_needs_no_word(place: Place) -> None:
    file = place.write(query("a", "steps=0", data=["films"]))
    place.run(str(file), "--out", "out", "--data", "films", "--data", "wiki")
    (one,) = place.recordings()
    (start,) = data_of(read_events(one.folder), SandboxStart)
    assert [use.name for use in start.data or ()] == ["films", "wiki"]


def test_what_the_home_has_not_added_is_a_mistake_of_the_file(place: Place) -> None:
    file = place.write(query("a", "x", data=["../../etc"]), query("b", "x", data=["secrets"]))
    said = place.run("--validate", str(file), code=2)
    assert ":1: data: this home has no data set '../../etc'" in said
    assert ":2: data: this home has no data set 'secrets'" in said


def test_a_batch_begins_and_is_resumed_only_with_the_content_that_was_added(place: Place) -> None:
    file = place.write(query("a", "steps=0", data=["films"]))
    place.run(str(file), "--out", "out", "--allow", "data")
    (place.folder / "films" / "b.csv").write_text("film\n")
    said = place.run("--resume", "out", code=2)
    assert "The data set films at" in said
    assert "has changed since it was added" in said
    assert "has changed" in place.run(str(file), "--out", "2", "--allow", "data", code=2)
    add_data_set(place.folder / "home", "films", place.folder / "films", replaces=True)
    said = place.run("--resume", "out", code=2)
    assert "data_sets was" in said
    place.run("--resume", "out", "--accept-changes")


@pytest.mark.hostile
def test_a_foreign_plan_asks_for_each_data_set(place: Place) -> None:
    queries = [Query(id="a", query="steps=1", data=("wiki",))]
    plan = BatchPlan(
        name="theirs",
        query_file="",
        query_folder=str(place.folder),
        queries_sha256=sha256_of(queries),
        attempts=1,
        vary={},
        feedback_rounds=0,
        simulated_user=None,
        settings=pinned_settings(Settings(tools=("bash",), data=("films",))),
        data_sets={"films": "0" * 64},
    )
    place.out.mkdir()
    pin(place.out, plan, queries, home_key(place.folder / "their-home"))
    said = place.run("--resume", "out", code=2)
    assert "say --allow data." in said
    lines = [line.strip() for line in said.splitlines()]
    assert {"films", "wiki"} <= set(lines)
    assert place.server.answered == 0


def test_csv_names_one_or_several(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    several = json.dumps(["films", "wiki"]).replace('"', '""')
    file.write_text(f'id,query,data\na,x,films\nb,y,"{several}"\n')
    assert [one.data for one in read_query_file(file).queries] == [("films",), ("films", "wiki")]
