"""Folders of batches that others wrote: links in them, plans and accounts of nonsense."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recordings.trust.home_key import home_key
from sii_cli.batch.plan.pinned import MOST_ATTEMPTS, load_pinned, pin
from sii_cli.batch.plan.plan import BatchPlan
from sii_cli.batch.runs import RUNS, Run, read_runs
from sii_cli.config.settings import BATCH_FILE, BATCH_QUERIES
from sii_cli.errors import UsageError
from sii_cli.queries.queries import Query
from sii_cli.queries.workspaces.copies import REPOSITORIES, remove_leftover_copies
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

NONSENSE: tuple[Any, ...] = (None, True, -1, 2**70, 1e308, "x", [], {}, [None], {"a": [1]})
PLAN_FIELDS = tuple(BatchPlan.__dataclass_fields__)
RUN_FIELDS = tuple(Run.__dataclass_fields__)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "batch"
    folder.mkdir()
    plan = BatchPlan(
        name="monday",
        query_file="q",
        query_folder="/",
        queries_sha256="",
        attempts=1,
        vary={},
        feedback_rounds=0,
        simulated_user=None,
        settings={},
    )
    pin(folder, plan, [Query(id="a", query="Go.")], home_key(tmp_path / "home"))
    return folder


@pytest.mark.parametrize("field", PLAN_FIELDS)
def test_a_plan_with_nonsense_is_read_or_said_to_be_damaged(
    folder: Path, shell: Shell, field: str
) -> None:
    sound = json.loads((folder / BATCH_FILE).read_bytes())
    for value in NONSENSE:
        (folder / BATCH_FILE).write_text(json.dumps(sound | {field: value}))
        done = shell.sii("batch", "status", str(folder))
        assert "fault" not in done.stderr, (field, value, done.stderr)
        if done.returncode:
            assert (
                str(folder / BATCH_FILE) in done.stderr
                or str(folder / BATCH_QUERIES) in done.stderr
            )


@pytest.mark.parametrize("field", RUN_FIELDS)
def test_an_account_with_nonsense_is_read_or_said_to_be_damaged(
    folder: Path, shell: Shell, field: str
) -> None:
    for value in NONSENSE:
        (folder / RUNS).write_text(json.dumps([{"began": 1.0} | {field: value}]))
        done = shell.sii("batch", "status", str(folder))
        assert "fault" not in done.stderr, (field, value, done.stderr)
        if done.returncode:
            assert str(folder / RUNS) in done.stderr


@pytest.mark.parametrize("text", [b"", b"[", b"[" * 100_000, b"5", b'{"a":1}', b"\xff", b"null"])
@pytest.mark.parametrize("name", [BATCH_FILE, BATCH_QUERIES, RUNS])
def test_what_is_no_json_is_said_to_be_damaged(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)
    if name == BATCH_QUERIES and not text:
        assert load_pinned(folder)[1] == []
        return
    read = read_runs if name == RUNS else load_pinned
    with pytest.raises(UsageError, match=name):
        read(folder)


def test_a_plan_of_more_sessions_than_can_be_is_refused(folder: Path) -> None:
    plan = json.loads((folder / BATCH_FILE).read_bytes())
    for change in (
        {"attempts": MOST_ATTEMPTS + 1},
        {"vary": {"seed": [1] * 1001, "max_steps": [1] * 1000}},
    ):
        (folder / BATCH_FILE).write_text(json.dumps(plan | change))
        with pytest.raises(UsageError, match="damaged"):
            load_pinned(folder)


@pytest.mark.parametrize("name", ["recordings", "workspaces", "snapshots", "lock", "anything"])
def test_a_link_in_a_batchs_folder_ends_it(
    folder: Path, shell: Shell, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "a-abcdefgh").mkdir(parents=True)
    (outside / "a-abcdefgh" / "file").write_text("mine")
    (folder / name).symlink_to(outside)
    for command in (("--resume",), ("status",)):
        done = shell.sii("batch", *command, str(folder))
        assert done.returncode == 2
        assert f"{folder / name} is a link" in done.stderr
    assert (outside / "a-abcdefgh" / "file").read_text() == "mine"


def test_only_copies_that_a_batch_made_are_removed(tmp_path: Path) -> None:
    parent, outside = tmp_path / "workspaces", tmp_path / "outside"
    stays = (parent / "photos", parent / REPOSITORIES / ("ab" * 8), parent / "a-abcdefgh.txt")
    goes = (parent / "query-1-abcd_f9h", parent / REPOSITORIES / ("ab" * 8 + "-abcdefgh"))
    for path in (*stays, *goes, outside):
        path.mkdir(parents=True)
        (path / "file").write_text("x")
    (parent / "b-abcdefgh").symlink_to(outside)
    remove_leftover_copies(parent, ["a", "b", "query-1"])
    assert all((path / "file").exists() for path in (*stays, outside))
    assert not any(path.exists() for path in goes)


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "a-abcdefgh").mkdir(parents=True)
    os.symlink(outside, tmp_path / "workspaces")
    remove_leftover_copies(tmp_path / "workspaces", ["a"])
    assert (outside / "a-abcdefgh").is_dir()
