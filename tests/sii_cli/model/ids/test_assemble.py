"""Whatever a server sends for a prompt of ids is a response or a named error, within limits."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.http.sse import BadStream
from sii_cli.model.ids.assemble import IdsAssembler
from sii_cli.model.response_limits import LARGEST_ID, ResponseTooLarge
from sii_cli.model.types import Completion, IdsPrompt
from tests.sii_cli.model.ids.offline import Family, generated, reader, vocabulary
from tests.sii_cli.model.ids.turns import call, turn

GLM47: Family = "GLM-4.7"
BASH = call(GLM47, "bash", ("command", "ls"))
PROMPT = [1, 2, 3]


def assembler(max_tokens: int | None = None, context: int | None = None) -> IdsAssembler:
    prompt = IdsPrompt(PROMPT, [3], [], lambda: reader(GLM47))
    return IdsAssembler(prompt, max_tokens=max_tokens, context_length=context)


def chunk(ids: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"token_ids": ids, "finish_reason": finish, **more}]}


def completed(made: IdsAssembler, *chunks: dict[str, Any]) -> Completion:
    for one in chunks:
        list(made.add(one))
    return made.completion(attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=1)


@pytest.mark.parametrize(
    "ids", [[-1], [1.0], [True], ["1"], [None], [[1]], {"1": 1}, "12", 7, [LARGEST_ID + 1], [2**60]]
)
def test_what_is_not_an_id_is_a_bad_stream(ids: Any) -> None:
    with pytest.raises(BadStream):
        list(assembler().add(chunk(ids)))


def test_an_id_that_the_tokenizer_does_not_have_spells_nothing() -> None:
    ids = generated(GLM47, "T</think>Done.<|user|>")
    unknown = [max(vocabulary(GLM47).names) + 1, LARGEST_ID]
    done = completed(assembler(), chunk([*unknown, *ids], "stop"))
    assert (done.reasoning, done.content, done.complete) == ("T", "Done.", True)
    assert done.generated_ids == [*unknown, *ids]


def test_more_ids_than_were_allowed_are_refused_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(ResponseTooLarge, match="token ids"):
        list(assembler(max_tokens=100).add(chunk([5] * 500_000)))
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("begin", ["</think><tool_call>", "</think><tool_call>f<arg_key>", ""])
def test_text_that_no_delta_shows_yet_is_counted_too(begin: str) -> None:
    """The text of the ids is recorded with a call that cannot be read."""
    [spaces] = vocabulary(GLM47).encode(" " * 16)
    chunks = [chunk(generated(GLM47, begin)), *[chunk([spaces] * 9600)] * 14]
    with pytest.raises(ResponseTooLarge, match="2,097,152 characters"):
        completed(assembler(), *chunks)


def test_ids_after_the_stop_token_run_no_call() -> None:
    whole = generated(GLM47, turn(GLM47, "T", "", BASH))
    for after in ("Done.", BASH):
        done = completed(assembler(), chunk(whole), chunk(generated(GLM47, after), "stop"))
        assert not done.complete
        assert "control_in_text" in done.flags
    again = completed(assembler(), chunk([*whole, *whole], "stop"))
    assert "control_in_text" in again.flags


def test_a_response_without_a_stop_token_is_not_complete() -> None:
    """Whatever the server says of it: a call in it may be a part of one."""
    cut = generated(GLM47, turn(GLM47, "T", "", BASH, stop=""))
    for finish in ("stop", "tool_calls", "length"):
        assert not completed(assembler(), chunk(cut, finish)).complete
    assert completed(assembler(), chunk(generated(GLM47, "T</think>A<|user|>"), "stop")).complete
    ended = chunk(generated(GLM47, "T</think>A<|user|>"), "length")
    assert not completed(assembler(), ended).complete


def test_the_text_that_a_server_sends_is_not_used() -> None:
    said = {"text": "Delete all.", "delta": {"content": "Delete all."}}
    done = completed(assembler(), chunk(generated(GLM47, "T</think>A<|user|>"), "stop", **said))
    assert (done.content, done.text) == ("A", "T</think>A")


def test_reasoning_is_counted_by_its_ids() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 9}
    ids = generated(GLM47, "I look.</think>Done.<|user|>")
    done = completed(assembler(), chunk(ids, "stop") | {"usage": usage})
    assert done.usage is not None
    assert done.usage.reasoning_tokens == len(vocabulary(GLM47).encode("I look."))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
own_ids = st.lists(st.integers(0, max(vocabulary(GLM47).names) + 5), max_size=20)
choices = st.fixed_dictionaries(
    {"token_ids": own_ids | st.lists(st.integers(-1, 2**54), max_size=3) | json_values},
    optional={
        "prompt_token_ids": own_ids | json_values,
        "finish_reason": st.sampled_from(["stop", "tool_calls", "length", None]) | json_values,
        "stop_reason": json_values,
    },
)


@given(chunks=st.lists(st.lists(choices | json_values, max_size=2), max_size=8))
def test_any_chunks_are_a_response_or_a_named_error(chunks: list[list[Any]]) -> None:
    made = assembler(max_tokens=1, context=1)
    with suppress(BadStream, ModelCallFailed, ResponseTooLarge):
        for one in chunks:
            list(made.add({"choices": one}))
    assert len(made.content) + len(made.reasoning) <= made.limits.characters
    if made.finish_reason is not None:
        done = completed(made)
        assert orjson.dumps([done.generated_ids, done.text, done.flags, len(done.calls)])
        assert not (done.complete and done.generated_ids is None)
