"""Arguments of any kind come out of every format as they went in, or the step is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recordings.export.exporting import exported, rows
from tests.recordings.samples.test_samples_of_any_session import WILD, WILD_TEXT
from tests.recordings.samples.told_session import ToldSession

ARGUMENTS = st.dictionaries(WILD_TEXT, WILD, max_size=4).map(
    lambda value: json.dumps(value, allow_nan=True)
)
SURROGATE = '{"a": "\\ud800"}'


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=ARGUMENTS | st.just(SURROGATE), second=ARGUMENTS)
def test_wild_arguments_in_every_format(first: str, second: str) -> None:
    with TemporaryDirectory() as root:
        folder = Path(root) / "s"
        told = ToldSession.create(folder)
        told.user("Go.")
        told.step("", ("bash", first, "a"), ("bash", second, "b"), reasoning="R")
        told.step("Done.", reasoning="R")
        told.end()
        written = [json.loads(first), json.loads(second)]
        is_plain = not re.search(r"NaN|Infinity|ud800", first + second)
        for name in ("messages", "slime_messages", "openai", "swift", "sharegpt", "verl"):
            if not is_plain and name in ("sharegpt", "verl"):
                continue  # nothing is left of them
            exported(Path(root) / name, name, folder)
            if is_plain:
                assert _arguments(Path(root) / name, name) == written, name


def _arguments(out: Path, name: str) -> list[Any]:
    if name == "verl":
        (row,) = pyarrow.parquet.read_table(out / "train.parquet").to_pylist()
    else:
        (row,) = rows(out)
    if name == "sharegpt":
        value = row["conversations"][1]["value"].removeprefix("<think>R</think>\n")
        return [call["arguments"] for call in json.loads(value)]
    if name == "swift":
        said = [one["content"] for one in row["messages"] if one["role"] == "tool_call"]
        return [json.loads(one)["arguments"] for one in said]
    messages = row.get("messages") or row["completion"]
    given_ = [c["function"]["arguments"] for m in messages for c in m.get("tool_calls") or ()]
    return [json.loads(one) if isinstance(one, str) else one for one in given_]


@pytest.mark.parametrize("raw", ["030", "1e5", "-0", "1e999", "NaN", '{"a":1,"a":2}', "True"])
def test_a_value_that_reads_back_otherwise_is_in_no_text(tmp_path: Path, raw: str) -> None:
    told = ToldSession.create(tmp_path / "s")
    told.user("Go.")
    told.step("", ("bash", f'{{"value": {raw}}}', "a"))
    told.step("Done.")
    told.end()
    for name in ("messages", "slime_messages", "openai", "swift"):
        report = exported(tmp_path / name, name, tmp_path / "s")
        assert report.left_out["not_expressible"] == 1
        assert report.steps == 1
    assert exported(tmp_path / "tokens", "tokens", tmp_path / "s").steps == 2
