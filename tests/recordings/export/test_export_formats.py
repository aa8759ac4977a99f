"""Each format, row by row, as it stands in `golden/`; `SII_UPDATE_SNAPSHOTS=1` rewrites it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recordings.export.registry import TARGETS, find_target
from tests.recordings.export.exporting import exported, lines, rows
from tests.recordings.samples.told_session import ToldSession, two_rounds

GOLDEN = Path(__file__).with_name("golden")
OF_SAMPLES = [name for name in TARGETS if not find_target(name).of_pairs]
"""Those of pairs: `test_export_pairs.py`."""


def recorded(root: Path) -> tuple[Path, Path]:
    """Two sessions: two rounds with parallel calls; one round in which a step does not count."""
    first, second = root / "20261124-100000-aaaaaa", root / "20261124-100001-bbbbbb"
    two_rounds(first)
    told = ToldSession.create(second, model="GLM-4.5-Air", license="mit", query="q7")
    told.user("Wie heißt es? <b>")
    told.step("", ("bash", {"command": "ls", "deep": {"a": [None, 1.5, True]}}, "x"), reasoning="R")
    told.step("", ("bash", {"command": "ls"}, "x"))
    told.harness("You repeat yourself.")
    told.step("Es heißt 世界.")
    told.end()
    return first, second


def table(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_rows_are_as_they_were(tmp_path: Path, name: str) -> None:
    sources: tuple[Path, ...] = recorded(tmp_path)
    if name == "sharegpt":  # the others have text beside a call, or a step that does not count
        sources = (tmp_path / "20261124-100002-cccccc",)
        told = ToldSession.create(sources[0])
        told.user("Go.")
        told.step("", ("bash", {"command": "ls"}, "a"), ("bash", {"n": 1}, "b"), reasoning="Look.")
        told.step("Done.", reasoning="So.")
        told.end()
    exported(tmp_path / "out", name, *sources)
    is_table = find_target(name).is_table
    found = table(tmp_path / "out" / "train.parquet") if is_table else rows(tmp_path / "out")
    golden = GOLDEN / f"{name}.json"
    if os.environ.get("SII_UPDATE_SNAPSHOTS"):
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(golden.read_text())


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_every_row_has_its_provenance(tmp_path: Path, name: str) -> None:
    report = exported(tmp_path / "out", name, _plain(tmp_path / "s"), license="apache-2.0")
    origins = lines(tmp_path / "out" / "provenance.jsonl")
    assert len(origins) == report.rows > 0
    assert {one["license"] for one in origins} == {"apache-2.0"}
    assert {one["recording"] for one in origins} == {"s"}
    assert all(len(one["recording_sha256"]) == 64 for one in origins)


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_the_same_recordings_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    sources = [_plain(tmp_path / f"s{number}") for number in range(3)]
    exported(tmp_path / "one", name, *sources, dedupe="off")
    exported(tmp_path / "two", name, *reversed(sources), dedupe="off")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def _plain(folder: Path) -> Path:
    """A session that every format can hold."""
    told = ToldSession.create(folder)
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a"), reasoning="Look.")
    told.step("Done.", reasoning="So.")
    told.end()
    return folder
