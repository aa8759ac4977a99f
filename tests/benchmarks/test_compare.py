"""Results of `make bench`: written with machine and commit, compared by their ratios."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import compare, figures
from benchmarks.__main__ import BENCHMARKS
from benchmarks.compare import is_worse
from benchmarks.figures import VARIABLE, Figure, figure, read_result, write_result


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "figures"))
    return tmp_path / "figures"


def test_a_result_names_its_machine_its_commit_and_the_ratios(results: Path) -> None:
    figure("loop: step", 3.0, "ms", floor=2.0)
    figure("batch: steps", 100.0, "/s", more_is_better=True)
    path = write_result(results, ["screen"])
    written = json.loads(path.read_text())
    assert [row["ratio"] for row in written["figures"]] == [1.5, None]
    about, read = read_result(path)
    assert about["failed"] == ["screen"]
    assert about["commit"]
    assert {"cpu", "cores", "memory_gb", "kernel", "python", "load"} == set(about["machine"])
    assert read["loop: step"] == Figure("loop: step", 3.0, "ms", 2.0)
    assert read["batch: steps"].more_is_better


def test_without_a_file_a_figure_is_kept_nowhere(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    figure("loop: step", 3.0, "ms")
    assert not results.exists()


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (Figure("x", 10, "ms"), Figure("x", 12, "ms"), True),
        (Figure("x", 10, "ms"), Figure("x", 10.5, "ms"), False),
        (Figure("x", 10, "ms"), Figure("x", 5, "ms"), False),
        (Figure("x", 10, "/s", None, True), Figure("x", 8, "/s", None, True), True),
        (Figure("x", 10, "/s", None, True), Figure("x", 12, "/s", None, True), False),
        (Figure("x", 10, "ms", 5), Figure("x", 20, "ms", 10), False),
        (Figure("x", 10, "ms", 5), Figure("x", 10, "ms", 4), True),
    ],
)
def test_what_got_worse_is_told_by_the_ratio_where_there_is_one(
    before: Figure, after: Figure, worse: bool
) -> None:
    assert is_worse(before, after) == worse


def test_two_results_stand_side_by_side(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure("loop: step", 3.0, "ms", floor=2.0)
    first = write_result(results, [])
    first = first.rename(first.with_name("first.json"))
    figure("loop: step", 4.0, "ms", floor=2.0)
    figure("new: figure", 1.0, "s")
    second = write_result(results, [])
    assert compare.main([str(first), str(second)]) == 0
    lines = capsys.readouterr().out.splitlines()
    [step] = [line for line in lines if line.startswith("loop: step")]
    assert step.split() == [
        *["loop:", "step", "3", "ms", "4", "ms", "1.33x", "1.50", "2.00", "worse"]
    ]
    assert any(line.startswith("new: figure") for line in lines)


def test_a_file_that_is_not_a_result_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text("[]")
    assert compare.main([str(tmp_path / "other.json"), str(tmp_path / "missing.json")]) == 2
    assert capsys.readouterr().out.endswith("is not a result of `make bench`\n")


def test_every_benchmark_is_run() -> None:
    folder = Path(figures.__file__).parent
    assert sorted(BENCHMARKS) == sorted(
        path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py")
    )
