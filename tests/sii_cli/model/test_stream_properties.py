"""Whatever the network does to a stream: the same completion, or an error with a name."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.events import CallRequest, ModelResponse, Usage
from sii_cli.model.assemble import Assembler
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.http.sse import BadStream, EventSplitter
from sii_cli.model.response_limits import ResponseTooLarge
from sii_cli.model.types import Completion
from tests.sii_cli.model.captures import capture, completion, streamed

STREAMS = ("02", "04", "05", "06b", "07", "09b", "30b", "50_kill_api")
ENDED = STREAMS[:-1]
NAMED = (BadStream, ModelCallFailed, ResponseTooLarge, orjson.JSONDecodeError)

steady = settings(deadline=None)  # other work on the machine is not a failure
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def cuts(draw: st.DrawFn, body: bytes) -> list[bytes]:
    """The body in pieces."""
    places = draw(st.lists(st.integers(0, len(body)), max_size=40))
    return [body[a:b] for a, b in pairwise([0, *sorted(places), len(body)])]


def recorded(done: Completion) -> ModelResponse:
    """The completion as it is recorded: raises when a value has not the type that it must have."""
    return ModelResponse(
        step=1,
        attempt=1,
        response_id=done.response_id,
        reasoning=done.reasoning,
        content=done.content,
        calls=[CallRequest(**call.model_dump()) for call in done.calls],
        finish_reason=done.finish_reason,
        stop_reason=done.stop_reason,
        complete=done.complete,
        usage=Usage(**done.usage.model_dump()) if done.usage else None,
        generated_ids=done.generated_ids,
        fingerprint=done.fingerprint,
        flags=list(done.flags),
    )


@pytest.mark.parametrize("name", STREAMS)
@steady
@given(data=st.data())
def test_any_cutting_gives_the_same(name: str, data: st.DataObject) -> None:
    body = capture(name).body
    whole_deltas, whole = streamed(body)
    deltas, assembler = streamed(body, data.draw(cuts(body)))
    assert deltas == whole_deltas
    assert vars(assembler).keys() == vars(whole).keys()
    if name in ENDED:
        assert completion(assembler) == completion(whole)


@pytest.mark.parametrize("name", ENDED)
def test_byte_by_byte_gives_the_same(name: str) -> None:
    body = capture(name).body
    deltas, assembler = streamed(body, [body[i : i + 1] for i in range(len(body))])
    assert (deltas, completion(assembler)) == (
        streamed(body)[0],
        completion(streamed(body)[1]),
    )


@pytest.mark.parametrize("name", ENDED)
def test_other_line_ends_and_keep_alive_comments_give_the_same(name: str) -> None:
    body = capture(name).body
    odd = b": ping\r\n\r\n" + body.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
    odd = odd.replace(b"data:", b"event: message\r\nid: 7\r\ndata:", 3)
    assert completion(streamed(odd)[1]) == completion(streamed(body)[1])


@pytest.mark.parametrize("name", ["05", "09b"])
@steady
@given(data=st.data(), garbage=st.binary(max_size=60))
def test_garbage_gives_an_error_with_a_name_or_well_formed_values(
    name: str, data: st.DataObject, garbage: bytes
) -> None:
    body = capture(name).body
    at = data.draw(st.integers(0, len(body)))
    cut = data.draw(st.integers(0, 30))
    try:
        _, assembler = streamed(body[:at] + garbage + body[at + cut :])
    except NAMED:
        return
    if assembler.finish_reason is not None:
        recorded(completion(assembler))


@steady
@given(chunk=json_values)
def test_any_json_is_a_chunk_or_malformed(chunk: Any) -> None:
    try:
        deltas = list(Assembler().add(chunk))
    except NAMED:
        return
    assert all(isinstance(delta.text, str) for delta in deltas)


@steady
@given(data=st.data(), value=json_values)
def test_any_value_in_any_place_of_a_chunk_is_taken_well_formed_or_refused(
    data: st.DataObject, value: Any
) -> None:
    events = [
        orjson.loads(event)
        for event in EventSplitter().feed(capture("05").body)
        if event != b"[DONE]"
    ]
    chunk = data.draw(st.sampled_from(events))
    place = chunk
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            place[key] = value
            break
        place = inner
    assembler = Assembler()
    try:
        for event in events:
            list(assembler.add(event))
    except NAMED:
        return
    if assembler.finish_reason is not None:
        recorded(completion(assembler))


def test_a_line_without_an_end_is_refused() -> None:
    splitter = EventSplitter(longest=1000)
    assert list(splitter.feed(b"x" * 1000)) == []
    with pytest.raises(ResponseTooLarge, match="more than 1,000 bytes"):
        list(splitter.feed(b"x"))


def test_calls_to_which_a_server_gives_one_id_or_none_have_their_own() -> None:
    pieces = [
        {"index": index, "id": call_id, "function": {"name": "bash", "arguments": "{}"}}
        for index, call_id in enumerate(["same", "same", None, "other"])
    ]
    chunk = {"id": "r", "choices": [{"delta": {"tool_calls": pieces}}]}
    assembler = Assembler()
    list(assembler.add(chunk))
    list(assembler.add({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}))
    calls = completion(assembler).calls
    assert [call.call_id for call in calls] == ["same", "call-r-1", "call-r-2", "other"]
