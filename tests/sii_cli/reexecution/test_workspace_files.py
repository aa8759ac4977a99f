"""The workspace after each step of a re-execution, held against the recorded snapshots."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from recordings.events import Snapshot, ToolCall
from recordings.storage.log import read_events
from sii_cli.reexecution.prepare import start_workspace
from sii_cli.reexecution.recorded import recorded_environment
from sii_cli.reexecution.report import CallReport
from sii_cli.reexecution.workspace_files import FilesReport
from tests.fakes.scripted_model import answer, calls
from tests.sii_cli.reexecution.running_again import bash, record, run_again_with_files
from tools.base import ToolResult

DONE = answer("Done.")


def files(reports: list[Any]) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    return [(r.step, r.differs, r.rules) for r in reports if isinstance(r, FilesReport)]


@pytest.fixture
def begin(tmp_path: Path) -> Path:
    folder = tmp_path / "begin"
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    return folder


async def test_the_same_calls_leave_the_same_files(tmp_path: Path, begin: Path) -> None:
    folder = await record(
        tmp_path, bash("echo b > b.txt"), bash("cat b.txt"), bash("rm a.txt"), DONE, begin=begin
    )
    reports = await run_again_with_files(folder, tmp_path, begin=begin)
    assert files(reports) == [(1, (), ()), (2, (), ()), (3, (), ())]


async def test_a_file_that_differs_is_named_after_its_step(tmp_path: Path, begin: Path) -> None:
    folder = await record(
        tmp_path,
        bash("echo same > same.txt"),
        bash("date +%N > time.txt; mkdir -p __pycache__; date +%N > __pycache__/x.pyc"),
        DONE,
        begin=begin,
    )
    first, second = files(await run_again_with_files(folder, tmp_path, begin=begin))
    assert first == (1, (), ())
    assert second == (2, ("modified time.txt",), ("caches",))


async def test_what_a_web_tool_saved_is_taken_from_the_recording(
    tmp_path: Path, begin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def saves(*_: object) -> ToolResult:
        (tmp_path / "workspace" / "paper.txt").write_text("from the web\n")
        return ToolResult("saved", changed=("paper.txt",))

    async def sent(*_: object) -> None:
        raise AssertionError("something was sent out")

    monkeypatch.setattr("tools.web_search.WebSearch.run", saves)
    monkeypatch.setattr("tools.toolbox.Toolbox.may_change", lambda *_: True)
    fetching = calls(("web_search", '{"query": "paper"}'))
    folder = await record(
        tmp_path, bash("true"), fetching, bash("cat paper.txt"), DONE, begin=begin
    )
    monkeypatch.setattr("tools.web_search.WebSearch.run", sent)
    reports = await run_again_with_files(folder, tmp_path, begin=begin)
    _, saved, read = (one for one in reports if isinstance(one, CallReport))
    assert (saved.outcome, read.outcome) == ("answered", "identical")
    assert "what it saved is the recording's" in saved.why


async def test_another_start_is_told_before_the_first_step(tmp_path: Path, begin: Path) -> None:
    folder = await record(tmp_path, bash("echo 1 > new.txt"), DONE, begin=begin)
    other = tmp_path / "other"
    shutil.copytree(begin, other)
    (other / "a.txt").write_text("another\n")
    reports = await run_again_with_files(folder, tmp_path, begin=other)
    assert files(reports)[0] == (0, ("modified a.txt",), ())


async def test_the_workspace_at_the_start_comes_from_its_snapshot(
    tmp_path: Path, begin: Path
) -> None:
    folder = await record(tmp_path, bash("rm a.txt"), DONE, begin=begin)
    assert any(isinstance(event.data, Snapshot) for event in read_events(folder))
    with start_workspace(
        folder, recorded_environment(folder), None, tmp_path / "home"
    ) as workspace:
        assert (workspace / "a.txt").read_text() == "a\n"
    assert not workspace.exists()


async def test_a_step_that_is_run_in_part_is_not_held_against_its_end(
    tmp_path: Path, begin: Path
) -> None:
    two = calls(("bash", '{"command": "echo 1 > 1"}'), ("bash", '{"command": "echo 2 > 2"}'))
    folder = await record(tmp_path, bash("echo 0 > 0"), two, DONE, begin=begin)
    seqs = [event.seq for event in read_events(folder) if isinstance(event.data, ToolCall)]
    compared = []
    for number, seq in enumerate(seqs):
        place = tmp_path / str(number)
        reports = await run_again_with_files(folder, place, begin=begin, until=seq)
        compared.append(files(reports))
    assert compared == [[(1, (), ())], [(1, (), ())], [(1, (), ()), (2, (), ())]]


async def test_what_others_changed_between_rounds_is_brought_back(
    tmp_path: Path, begin: Path
) -> None:
    def change() -> None:
        (tmp_path / "workspace" / "a.txt").write_text("by hand\n")

    folder = await record(
        tmp_path, bash("cat a.txt"), DONE, bash("cat a.txt"), DONE, begin=begin, between=change
    )
    reports = await run_again_with_files(folder, tmp_path, begin=begin)
    assert [r.outcome for r in reports if isinstance(r, CallReport)] == ["identical"] * 2
    assert all(not differs for _, differs, _ in files(reports))
