"""What a model generated is read as it was meant, however it arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.model.ids.call_reader import JsonReader
from sii_cli.model.ids.reader import Reader
from sii_cli.model.ids.values import MOST_LITERAL, ArgumentTypes, LiteralRoom, as_json
from sii_cli.model.ids.writer import Writer
from sii_cli.model.response_limits import MOST_CALLS, ResponseTooLarge
from sii_cli.model.types import Delta
from sii_cli.tokenizer.vocabulary import load_vocabulary
from tests.sii_cli.model.ids.offline import (
    FAMILIES,
    GLM,
    TOOLS,
    Family,
    folder,
    form,
    generated,
    reader,
    vocabulary,
)
from tests.sii_cli.model.ids.turns import GeneratedTurn, call, turn, turns

BY_FAMILY = {family: list(turns(family)) for family in GLM}
TURNS = [
    pytest.param(family, one, id=f"{family}-{one.kind}-{number}")
    for family in GLM
    for number, one in enumerate(BY_FAMILY[family])
]


def read(made: Reader, ids: Sequence[int], cuts: Sequence[int] = ()) -> list[Delta]:
    """Feed ids cut at these places; return all deltas."""
    deltas: list[Delta] = []
    for start, end in pairwise([0, *sorted(cuts), len(ids)]):
        deltas += made.feed(ids[start:end])
    return deltas + made.finish()


def joined(deltas: Sequence[Delta], kind: str, index: int = 0) -> str:
    return "".join(one.text for one in deltas if one.kind == kind and one.index == index)


@pytest.mark.parametrize(("family", "wanted"), TURNS)
def test_a_turn_is_read_as_it_was_meant(family: Family, wanted: GeneratedTurn) -> None:
    check(family, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("family", GLM)
def test_five_thousand_turns_are_read_as_they_were_meant(family: Family) -> None:
    many = list(turns(family, 143))
    assert len(many) > 5000
    assert len({repr(one) for one in many}) > 4000, "no two thoughts are alike"
    for wanted in many:
        check(family, wanted)


def check(family: Family, wanted: GeneratedTurn) -> None:
    """Read a turn, and compare all of it with what was meant."""
    made = reader(family)
    deltas = read(made, wanted.ids)
    assert (made.reasoning, made.content) == (wanted.reasoning, wanted.content)
    assert set(made.flags) == wanted.flags
    assert (joined(deltas, "reasoning"), joined(deltas, "content")) == (
        made.reasoning,
        made.content,
    )
    calls = made.calls("r")
    if not wanted.runs:
        assert calls == []
        return
    assert [(one.name, one.pairs) for one in calls] == wanted.calls
    for one in calls:
        assert joined(deltas, "call_name", one.index) == one.name
        assert joined(deltas, "call_arguments", one.index) == one.arguments
    if calls:
        values = wanted.values if wanted.values is not None else dict(wanted.calls[-1][1])
        assert json.loads(calls[-1].arguments) == values


@pytest.mark.parametrize("family", GLM)
@given(data=st.data())
def test_any_cut_of_the_stream_gives_the_same_turn(family: Family, data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(BY_FAMILY[family]))
    cuts = data.draw(st.lists(st.integers(0, len(wanted.ids)), max_size=8))
    whole, pieces = reader(family), reader(family)
    read(whole, wanted.ids)
    deltas = read(pieces, wanted.ids, cuts)
    assert (pieces.reasoning, pieces.content) == (whole.reasoning, whole.content)
    assert pieces.calls("r") == whole.calls("r")
    assert (pieces.flags, pieces.stop, pieces.text) == (whole.flags, whole.stop, whole.text)
    assert joined(deltas, "content") == whole.content


MARKS = [
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>"),
    *("<arg_value>", "</arg_value>", "<|user|>", "<|observation|>"),
]


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_whatever_is_generated_is_read(family: Family, data: st.DataObject) -> None:
    own = vocabulary(family)
    marks = [own.control[mark] for mark in MARKS if mark in own.control]
    token = st.one_of(st.sampled_from(marks), st.integers(0, max(own.names)))
    ids = data.draw(st.lists(token, max_size=60))
    made = reader(family, thinking=data.draw(st.booleans()))
    deltas = read(made, ids)
    assert (joined(deltas, "reasoning"), joined(deltas, "content")) == (
        made.reasoning,
        made.content,
    )
    for one in made.calls("r"):
        assert isinstance(json.loads(one.arguments), dict)
        assert joined(deltas, "call_arguments", one.index) == one.arguments


@pytest.mark.parametrize("family", GLM)
def test_calls_in_an_unended_thought_are_not_run(family: Family) -> None:
    made = reader(family)
    opened = "" if family == "GLM-4.7" else "\n<think>"
    written = call(family, "bash", ("command", "ls"))
    read(made, generated(family, f"{opened}I think{written}<|observation|>"))
    assert {"thought_unterminated", "call_not_parsed"} <= set(made.flags)
    assert made.calls("r") == []


@pytest.mark.parametrize("family", GLM)
def test_an_argument_without_its_end_is_not_run(family: Family) -> None:
    text = turn(family, "T", "", call(family, "bash", ("command", "ls")))
    for missing in ("</arg_value>", "</arg_key>", "<arg_value>"):
        made = reader(family)
        read(made, generated(family, text.replace(missing, "")))
        assert "call_not_parsed" in made.flags, missing
        assert made.calls("r") == []


def test_a_stop_that_asks_for_a_call_without_one_is_flagged() -> None:
    made = reader("GLM-4.7")
    read(made, generated("GLM-4.7", "T</think>I call.<|observation|>"))
    assert made.flags == ["call_not_parsed"]


def test_tokens_of_reasoning_are_counted() -> None:
    made = reader("GLM-4.7")
    read(made, generated("GLM-4.7", "I look.</think>Done.<|user|>"))
    assert made.reasoning_tokens == len(vocabulary("GLM-4.7").encode("I look."))


def test_more_calls_than_any_answer_has_are_refused() -> None:
    one = call("GLM-4.7", "bash", ("command", "ls"))
    ids = generated("GLM-4.7", f"</think>{one * (MOST_CALLS + 1)}")
    with pytest.raises(ResponseTooLarge):
        reader("GLM-4.7").feed(ids)


def qwen(calls: str, thought: str = "<think>\nT\n</think>\n\n") -> Reader:
    made = reader("Qwen3")
    read(made, generated("Qwen3", f"{thought}{calls}<|im_end|>"))
    return made


def test_a_call_in_json_is_read_as_it_was_written() -> None:
    arguments = '{"command":"ls  \\u00e9", "timeout": 1.50}'
    made = qwen(f'<tool_call>\n{{"name": "bash", "arguments": {arguments}}}\n</tool_call>')
    [one] = made.calls("r")
    assert (one.name, one.arguments, one.pairs) == ("bash", arguments, None)
    assert (made.flags, made.reasoning) == ([], "\nT\n")


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "bash"}',
        '{"name": "bash", "arguments": []}',
        '{"name": 3, "arguments": {}}',
        '{"name": "bash", "arguments": {"a": 1, "a": 2}}',
        '{"name": "bash", "arguments": {"a": {"b": 1, "b": 2}}}',
        '{"name": "a", "name": "b", "arguments": {}}',
        "no JSON",
        "[" * 5000,
        '{"name": "bash", "arguments": {"a": ' + "[" * 5000 + "]" * 5000 + "}}",
        '{"name": "bash", "arguments": {}, "more": 1}',
        '{"name": "", "arguments": {}}',
        "",
    ],
)
def test_a_call_in_json_that_is_not_clear_is_not_run(written: str) -> None:
    made = qwen(f"<tool_call>\n{written}\n</tool_call>")
    assert "call_not_parsed" in made.flags
    assert made.calls("r") == []


def test_a_call_in_json_may_be_nested_deep() -> None:
    arguments = '{"a": ' + "[" * 400 + "]" * 400 + "}"
    made = qwen(f'<tool_call>{{"arguments": {arguments}, "name": "odd"}}</tool_call>')
    [one] = made.calls("r")
    assert (one.name, one.arguments) == ("odd", arguments)


@pytest.mark.parametrize("odd", ["1is 2", "['\\d', 'x']", "[1, 2"])
def test_a_value_that_looks_like_python_warns_of_nothing(
    odd: str, capfd: pytest.CaptureFixture[str]
) -> None:
    as_json(odd, "array", LiteralRoom())
    assert capfd.readouterr().err == ""


def test_values_of_one_response_are_read_as_python_up_to_a_limit() -> None:
    """Each takes a hundred times its characters of memory, and a response has hundreds."""
    room = LiteralRoom()
    value = "[" + "'a'," * (MOST_LITERAL // 6) + "]"
    assert json.loads(as_json(value, "array", room)) == ["a"] * (MOST_LITERAL // 6)
    assert json.loads(as_json(value, "array", room)) == value
    assert as_json("['b']", "array", room) == '["b"]'
    assert as_json("[1]" + " " * MOST_LITERAL, "array", room) == "[1]"


def test_a_call_that_names_itself_thousands_of_times_is_read_in_linear_time() -> None:
    one = JsonReader()
    one.text("{" + ('"name":' + " " * 1000 + '"odd", ') * 5000 + '"arguments": {}}')
    began = time.process_time()
    one.end()
    assert time.process_time() - began < 1
    assert (one.name, one.is_whole) == ("odd", False)


def test_a_control_token_may_have_the_id_0(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    text = (folder("GLM-4.7") / "tokenizer.json").read_text()
    parsed = json.loads(text)
    own = next(one for one in parsed["added_tokens"] if one["content"] == "</think>")
    vocab = parsed["model"]["vocab"]
    first = next(name for name, number in vocab.items() if number == 0)
    own["id"], vocab[first], vocab["</think>"] = 0, own["id"], 0
    path.write_text(json.dumps(parsed))
    own_words = load_vocabulary(path)
    assert own_words.control["</think>"] == 0
    made = Reader(Writer(own_words, form("GLM-4.7")), ArgumentTypes(TOOLS), in_thought=True)
    read(made, own_words.join(own_words.pieces("T</think>A<|user|>")))
    assert (made.reasoning, made.content) == ("T", "A")


@pytest.mark.parametrize("family", GLM)
def test_space_after_a_token_that_did_not_end_a_value_belongs_to_it(family: Family) -> None:
    value = "a</arg_value> \n b"
    ids = generated(family, turn(family, "T", "", call(family, "bash", ("command", value))))
    made = reader(family)
    read(made, ids, range(1, len(ids)))
    [one] = made.calls("r")
    assert one.pairs == [("command", value)]
    assert made.flags == ["control_in_text"]
