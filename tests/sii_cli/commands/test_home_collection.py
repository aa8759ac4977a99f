"""A home is one collection: commands see its own recordings and those of its batches."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.index.find import Filter, find, search
from recordings.index.index import INDEX, RecordingIndex
from recordings.store.collection import Collection
from recordings.store.store import RecordingStore
from tests.recordings.recording_sessions import record_session
from tests.sii_cli.shell import Shell


def in_batch(shell: Shell, name: str, **options: Any) -> Path:
    """Make a recording in a batch of the home, as the batch's sessions do."""
    _, folder = RecordingStore(shell.home / "batches" / name / "recordings").create_folder()
    about: dict[str, Any] = {"key": shell.key, "batch": name, "rounds": 1, "steps": 1}
    record_session(folder, **(about | options))
    return folder


def listed(shell: Shell, *args: str) -> list[dict[str, Any]]:
    done = shell.sii("list", "--json", "--all", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["id"] for row in rows}


def test_a_list_holds_the_home_and_its_batches_and_names_the_batch(shell: Shell) -> None:
    own = shell.recorded(rounds=1, steps=1)
    monday, night = in_batch(shell, "monday"), in_batch(shell, "night", seed=1)
    rows = {row["id"]: row for row in listed(shell)}
    assert set(rows) == {own.name, monday.name, night.name}
    assert rows[monday.name]["batch"] == "monday"
    assert rows[own.name]["batch"] is None
    assert rows[night.name]["folder"] == str(night)
    lines = shell.sii("list").stdout.splitlines()
    assert [line for line in lines if monday.name in line and "[monday]" in line]
    assert [line for line in lines if own.name in line and "[" not in line]


def test_a_batch_narrows(shell: Shell) -> None:
    shell.recorded(rounds=1, steps=1)
    monday, night = in_batch(shell, "monday"), in_batch(shell, "night", seed=1)
    unnamed = in_batch(shell, "night", batch=None, seed=2)
    assert ids(listed(shell, "--batch", "monday")) == {monday.name}
    assert ids(listed(shell, "--batch", "night")) == {night.name, unnamed.name}
    stats = json.loads(shell.sii("stats", "--json", "--batch", "night").stdout)
    assert stats["recordings"] == 2
    found = shell.sii("search", "--json", "--batch", "monday", "ledger").stdout.splitlines()
    assert ids([json.loads(line) for line in found]) == {monday.name}


def test_a_home_with_batches_alone_is_listed(shell: Shell) -> None:
    monday = in_batch(shell, "monday")
    assert ids(listed(shell)) == {monday.name}
    assert shell.sii("show", "last").returncode == 0


def test_ids_are_found_over_all(shell: Shell, tmp_path: Path) -> None:
    shell.recorded(rounds=1, steps=1)
    name = in_batch(shell, "monday").name
    page = tmp_path / "page.html"
    for command in (
        ("show", name),
        ("reviews", name),
        ("tree", name),
        ("verify", name),
        ("replay", name, "--html", str(page)),
        ("inspect-sample", name),
        ("show", name[:-1]),
        ("approve", name, "--speaker", "ann"),
        ("reject", name, "--speaker", "bob", "--why", "no"),
    ):
        done = shell.sii(*command)
        assert done.returncode == 0, (command, done.stderr)
    assert listed(shell, "--batch", "monday")[0]["reviewers"] == ["ann", "bob"]


def test_a_review_is_beside_its_recording_and_is_exported(shell: Shell, tmp_path: Path) -> None:
    folder = in_batch(shell, "monday")
    assert shell.sii("approve", folder.name, "--speaker", "ann").returncode == 0
    assert (folder / "reviews.jsonl").exists()
    done = shell.sii("export", str(tmp_path / "data"), "--format", "messages")
    assert done.returncode == 0, done.stderr
    assert "from 1 recording" in done.stdout


def test_what_is_left_to_review_includes_batches(shell: Shell) -> None:
    folder = in_batch(shell, "monday")
    done = shell.sii("review", "--speaker", "ann", stdin="q\n")
    assert f"1 of 1: {folder.name}" in done.stderr


def test_an_id_in_two_places_is_refused_with_both(shell: Shell, tmp_path: Path) -> None:
    first = in_batch(shell, "monday")
    second = shell.home / "recordings" / first.name
    shutil.copytree(first, second)
    done = shell.sii("show", first.name)
    assert done.returncode == 2
    assert f"2 recordings are called {first.name}: give the path of one" in done.stderr
    assert str(first) in done.stderr
    assert str(second) in done.stderr
    assert shell.sii("show", str(first)).returncode == 0
    assert [row["folder"] for row in listed(shell)].count(str(first)) == 1
    done = shell.sii("export", str(tmp_path / "data"), "--format", "messages", "--all")
    assert done.returncode == 1
    assert "choose those of one batch (--batch NAME)" in done.stderr


def test_a_session_of_a_batch_is_not_resumed(shell: Shell) -> None:
    name = in_batch(shell, "monday").name
    for ask in (("-r", name), ("-r", name[:-1])):
        done = shell.sii("-p", "more", *ask, script="hello")
        assert done.returncode == 2
        assert f"{name} is of the batch monday" in done.stderr
        assert "sii fork" in done.stderr
    assert shell.sii("-p", "more", "-c", script="hello").returncode == 2
    own = shell.recorded(rounds=1, steps=1, workspace=str(shell.workspace))
    assert shell.sii("-p", "more", "-c", script="hello").returncode == 0
    assert shell.last() == own


def test_a_fork_of_a_batch_is_the_homes_and_can_be_resumed(shell: Shell) -> None:
    folder = in_batch(shell, "monday", workspace=str(shell.workspace))
    made = shell.sii("fork", folder.name, "--at", "2")
    assert made.returncode == 0, made.stderr
    assert (shell.home / "recordings" / made.stdout.strip()).is_dir()


def test_what_is_redacted_leaves_every_index(shell: Shell) -> None:
    secret = "sk-" + "a1B2" * 12
    folder = in_batch(
        shell, "monday", change=lambda session: (session.round(1, message=secret), session.end())
    )
    batch = {"SII_HOME": str(folder.parent.parent), "SII_KEY_HOME": str(shell.home)}
    word = secret.removeprefix("sk-")
    assert shell.sii("search", word).returncode == 0
    assert shell.sii("search", word, **batch).returncode == 0
    indexes = [root / INDEX for root in (shell.home / "recordings", folder.parent)]
    assert all(word.lower().encode() in index.read_bytes() for index in indexes)
    done = shell.sii("redact", folder.name, "--yes", "--speaker", "ann")
    assert done.returncode == 0, done.stderr
    assert not any(word.lower().encode() in index.read_bytes() for index in indexes)


@pytest.mark.hostile
def test_a_hostile_batch_costs_only_its_own_line(shell: Shell, tmp_path: Path) -> None:
    good = in_batch(shell, "monday")
    elsewhere = RecordingStore(tmp_path / "elsewhere" / "recordings")
    record_session(elsewhere.create_folder()[1], rounds=1, steps=1)
    batches = shell.home / "batches"
    (batches / "link").symlink_to(tmp_path / "elsewhere")
    (batches / "inner").mkdir()
    (batches / "inner" / "recordings").symlink_to(elsewhere.root)
    os.mkfifo(batches / "pipe")
    (batches / "piped").mkdir()
    os.mkfifo(batches / "piped" / "recordings")
    (batches / "new\nline" / "recordings").mkdir(parents=True)
    os.makedirs(os.fsencode(batches) + b"/\xff/recordings")
    (batches / "empty").mkdir()
    (batches / "notes.txt").write_text("mine")
    damaged = batches / "damaged" / "recordings"
    (damaged / "20260101-000000-000000").mkdir(parents=True)
    (damaged / "20260101-000000-000000" / "events.jsonl").write_text("{broken\n")
    (damaged / INDEX).write_bytes(b"SQLite format 3\0 damaged")
    os.mkfifo(damaged / "20260101-000000-000001")
    done = shell.sii("list", "--json")
    assert done.returncode == 0
    rows = {row["id"]: row["status"] for row in map(json.loads, done.stdout.splitlines())}
    assert rows == {good.name: "done", "20260101-000000-000000": "damaged"}
    refused = [line for line in done.stderr.splitlines() if line.startswith("sii: Not read: ")]
    assert len(refused) == 6, done.stderr
    assert f"{batches / 'link'}: it is a link, where a directory should be" in done.stderr
    assert f"{batches / 'piped' / 'recordings'}: it is a named pipe" in done.stderr
    assert shell.sii("show", good.name).returncode == 0
    assert (damaged / INDEX).read_bytes() == b"SQLite format 3\0 damaged"


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=6), st.sampled_from([None, 1, 3]))
def test_the_union_of_the_parts_is_the_whole(
    tmp_path_factory: pytest.TempPathFactory, places: list[str], limit: int | None
) -> None:
    home = tmp_path_factory.mktemp("home")
    for number, place in enumerate(places):
        part = home / "batches" / place if place else home
        _, folder = RecordingStore(part / "recordings").create_folder()
        record_session(folder, seed=number, rounds=1, steps=1, batch=place or None)
    collection = Collection(home)
    with RecordingIndex(collection.own, batches=collection.batches) as index:
        index.refresh()
        whole = [found.summary.folder for found in find(index)]
        parts = [find(index, Filter(batch=name)) for name in collection.batches]
        hits = {hit.id for hit in search(index, "ledger", limit=10_000)}
        first = [found.summary.folder for found in find(index, limit=limit)]
    own = [collection.own.root / name for name in collection.own.ids()]
    in_batches = [found.summary.folder for part in parts for found in part]
    assert sorted(whole) == sorted([*own, *in_batches])
    assert len(whole) == len(places)
    assert whole == sorted(whole, key=lambda folder: folder.name, reverse=True)
    assert first == whole[:limit]
    separately: set[str] = set()
    for store in collection.stores:
        with RecordingIndex(store, home / f"index-{len(separately)}-{id(store)}") as index:
            index.refresh()
            separately |= {hit.id for hit in search(index, "ledger", limit=10_000)}
    assert hits == separately
