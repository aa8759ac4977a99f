"""The traps that spoil data silently, each by its name."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet
import pytest

from recordings.export.slime_rollout import generate_rollout
from tests.fakes.fake_tokenizer import decode, id_of
from tests.recordings.export.exporting import exported, lines, rows
from tests.recordings.samples.told_session import ToldSession, two_rounds

WILD = {"path": "a", "n": None, "deep": {"x": [1, "1", None, True]}, "big": 10**30, "<think>": "é"}


def many_tools(folder: Path) -> Path:
    told = ToldSession.create(folder)
    told.user("Go.")
    told.step("", ("bash", {"command": "ls"}, "a"))
    told.step("", ("edit", json.dumps(WILD), "b"))
    told.step("", ("mixed", {"path": 7}, "c"))  # another type under a name that `edit` has too
    told.step("Done.")
    told.end()
    return folder


def arguments(messages: list[dict[str, Any]]) -> list[Any]:
    return [
        call["function"]["arguments"] for one in messages for call in one.get("tool_calls") or ()
    ]


def test_parquet_merges_arguments(tmp_path: Path) -> None:
    exported(tmp_path / "out", "verl", many_tools(tmp_path / "s"))
    table = pyarrow.parquet.read_table(tmp_path / "out" / "train.parquet")
    (row,) = table.to_pylist()
    assert [json.loads(one) for one in arguments(row["messages"])] == [
        {"command": "ls"},
        WILD,
        {"path": 7},
    ]
    assert isinstance(row["tools"], str)


def test_parquet_merges_schemas(tmp_path: Path) -> None:
    exported(tmp_path / "out", "verl", many_tools(tmp_path / "s"))
    (row,) = pyarrow.parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    properties = json.loads(row["tools"])[0]["function"]["parameters"]["properties"]
    assert properties == {"command": {"type": "string"}}


@pytest.mark.parametrize("name", ["messages", "slime_messages", "openai"])
def test_arguments_in_json_lines_are_what_the_model_gave(tmp_path: Path, name: str) -> None:
    exported(tmp_path / "out", name, many_tools(tmp_path / "s"))
    (row,) = rows(tmp_path / "out")
    found = arguments(row.get("messages") or row["completion"])
    if name == "openai":
        found = [json.loads(one) for one in found]
    assert found == [{"command": "ls"}, WILD, {"path": 7}]


def test_tokens_round_trip_through_parquet(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "lines", "tokens", tmp_path / "s")
    exported(tmp_path / "table", "tokens", tmp_path / "s", parquet=True)
    table = pyarrow.parquet.read_table(tmp_path / "table" / "train.parquet")
    assert table.to_pylist() == rows(tmp_path / "lines")


def test_a_multi_round_conversation_trains_each_answer_once(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "m", "messages", tmp_path / "s")
    said = [
        one["content"]
        for row in rows(tmp_path / "m")
        for one in row["completion"]
        if one["role"] == "assistant"
    ]
    assert said == ["", "Two at once.", "Mended.", "A minus sign."]
    exported(tmp_path / "s_m", "slime_messages", tmp_path / "s")
    marks = [
        [one["step_loss_mask"] for one in row["messages"] if one["role"] == "assistant"]
        for row in rows(tmp_path / "s_m")
    ]
    assert marks == [[1, 1, 1], [0, 0, 0, 1]]


def test_a_step_that_does_not_count_is_never_in_a_completion(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("One.", ("bash", {}, "a"))
    told.step("Two.", ("bash", {}, "a"))
    told.harness("You repeat yourself.")
    told.step("Three.")
    told.end()
    exported(tmp_path / "out", "messages", tmp_path / "s")
    one, three = rows(tmp_path / "out")
    assert [m["content"] for m in one["completion"]] == ["One."]
    assert [m["content"] for m in three["completion"]] == ["Three."]
    assert [m["content"] for m in three["prompt"] if m["role"] == "assistant"] == ["One.", "Two."]


@pytest.mark.parametrize("name", ["sharegpt", "verl"])
def test_a_format_that_trains_every_step_takes_no_step_that_does_not_count(
    tmp_path: Path, name: str
) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", {}, "a"), reasoning="R")
    told.step("First.", reasoning="R")
    told.user("And?")
    told.step("Second.", reasoning="R")
    told.end()
    report = exported(tmp_path / "out", name, tmp_path / "s")
    assert report.rows == 1
    (out,) = lines(tmp_path / "out" / "left_out.jsonl")
    assert (out["reason"], out["sample"]) == ("not_expressible", 2)


def test_the_stop_token_and_role_markers_reach_slime(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "s")
    exported(tmp_path / "out", "slime", tmp_path / "s")
    trained = []
    for sample in rolled_out(tmp_path / "out"):
        assert len(sample.loss_mask) == sample.response_length
        assert decode(sample.tokens).startswith("[gMASK]<sop><|system|>")
        response = sample.tokens[-sample.response_length :]
        trained += [one for one, on in zip(response, sample.loss_mask, strict=True) if on]
        assert (sample.loss_mask[0], sample.loss_mask[-1]) == (1, 1)
        assert response[-1] == id_of("<|user|>")
    assert trained == [one for ids in told.generated for one in ids]


def test_an_all_zero_mask_trains_everything_in_slime(tmp_path: Path) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("Cut", complete=False)
    told.user("Again.")
    told.step("Done.", reasoning="R")
    told.end()
    exported(tmp_path / "out", "slime", tmp_path / "s")
    assert all(1 in row["metadata"]["loss_mask"] for row in rows(tmp_path / "out"))
    row = rows(tmp_path / "out")[0]
    row["metadata"]["loss_mask"] = [0] * len(row["metadata"]["input_ids"])
    with pytest.raises(ValueError, match="no id is trained; slime would train all"):
        generate_rollout(SimpleNamespace(rollout_batch_size=1), 0, FakeSource([row]))


def test_the_last_answer_is_in_every_format(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    for name in ("messages", "slime_messages", "openai", "swift"):
        exported(tmp_path / name, name, tmp_path / "s")
        last = rows(tmp_path / name)[-1]
        assert "A minus sign." in (last.get("messages") or last["completion"])[-1]["content"]
    exported(tmp_path / "tokens", "tokens", tmp_path / "s")
    assert "A minus sign.<|user|>" in decode(rows(tmp_path / "tokens")[-1]["input_ids"])


class Status(Enum):
    PENDING = 1
    COMPLETED = 2


class FakeSource:
    """slime's data source: groups of samples whose metadata are the rows'."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        self._groups = [
            [SimpleNamespace(prompt=row["prompt"], metadata=row["metadata"], status=Status.PENDING)]
            for row in found
        ]

    def get_samples(self, count: int) -> list[list[Any]]:
        return self._groups[:count]


def rolled_out(out: Path) -> list[Any]:
    """What the rollout function that stands beside the data makes of it."""
    space: dict[str, Any] = {}
    exec((out / "sii_rollout.py").read_text(), space)
    found = rows(out)
    source = FakeSource(found)
    groups = space["generate_rollout"](SimpleNamespace(rollout_batch_size=len(found)), 0, source)
    return [sample for group in groups for sample in group]
