"""Exports as Hugging Face's `datasets` reads them, arguments of many shapes included."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.recordings.export.exporting import exported, rows
from tests.recordings.export.test_export_pairs import exported_pairs, say, told
from tests.recordings.export.test_export_traps import WILD, arguments, many_tools

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when it is imported
datasets = pytest.importorskip("datasets")


def load(kind: str, path: Path, cache: Path) -> list[dict[str, object]]:
    found = datasets.load_dataset(kind, data_files=str(path), cache_dir=str(cache), split="train")
    return list(found)


def test_arguments_in_parquet_read_back_as_they_were(tmp_path: Path) -> None:
    exported(tmp_path / "out", "verl", many_tools(tmp_path / "s"))
    (row,) = load("parquet", tmp_path / "out" / "train.parquet", tmp_path / "cache")
    found = [json.loads(one) for one in arguments(row["messages"])]  # type: ignore[arg-type]
    assert found == [{"command": "ls"}, WILD, {"path": 7}]


def test_ids_and_masks_read_back_as_they_were(tmp_path: Path) -> None:
    exported(tmp_path / "out", "tokens", many_tools(tmp_path / "s"))
    assert load("json", tmp_path / "out" / "train.jsonl", tmp_path / "cache") == rows(
        tmp_path / "out"
    )


def test_messages_read_as_the_card_says_keep_their_arguments(tmp_path: Path) -> None:
    exported(tmp_path / "out", "messages", many_tools(tmp_path / "s"))
    (row,) = datasets.IterableDataset.from_generator(lambda: iter(rows(tmp_path / "out")))
    assert arguments(row["completion"]) == [{"command": "ls"}, WILD, {"path": 7}]


def test_pairs_read_as_the_card_says_keep_their_arguments_and_ids(tmp_path: Path) -> None:
    many_tools(tmp_path / "a")
    told(tmp_path / "b", say("Nothing to do."), asked="Go.")
    exported_pairs(tmp_path / "out", (tmp_path / "a", tmp_path / "b"))
    (row,) = datasets.IterableDataset.from_generator(lambda: iter(rows(tmp_path / "out")))
    assert arguments(row["chosen"]) == [{"command": "ls"}, WILD, {"path": 7}]
    for side in ("chosen", "rejected"):
        assert len(row[f"{side}_ids"]) == len(row[f"{side}_mask"]) > 0
