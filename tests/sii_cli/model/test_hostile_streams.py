"""Any bytes of a model server: a completion or a failure with a name, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sii_cli.model.assemble import Assembler
from sii_cli.model.endpoints import read_load
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.failures import failure_of_status
from sii_cli.model.http.sse import BadStream, EventSplitter
from sii_cli.model.response_limits import ResponseTooLarge
from sii_cli.model.types import Completion, RequestFailed
from tests.fakes.bomb_server import bomb_server
from tests.sii_cli.model.calling import ask, client

pytestmark = pytest.mark.hostile

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DELTA = b'data: {"choices":[{"delta":{"content":"Yes."},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
SEEDS = (
    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(DELTA + DONE) + DELTA + DONE,
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(DELTA), DELTA, len(DONE), DONE),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + DELTA + DONE,
    b'HTTP/1.1 400 Bad\r\ncontent-length: 26\r\n\r\n{"error":{"message":"no"}}',
    b"HTTP/1.1 307 x\r\nlocation: /v2\r\ncontent-length: 0\r\n\r\n",
)
PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"0", b"-1", b"9" * 30, b"\xff\xfe", b"\xd9\xa3"),
    *(b"HTTP/1.1 ", b"HTTP/2 ", b"100 Continue\r\n\r\n", b"101 x\r\nupgrade: a\r\n", b"204 x\r\n"),
    *(b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"content-encoding: gzip\r\n"),
    *(b"data: ", b"data: [DONE]\n\n", b"data: {}\n\n", b"data: null\n\n", b": x\n", b"[" * 2000),
    *(
        b'data: {"error":null}\n\n',
        b'data: {"choices":null}\n\n',
        b'{"error":',
        b"set-cookie: a\r\n",
    ),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An answer in which pieces were cut out, put in and repeated."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        at, cut = draw(st.integers(0, len(data))), draw(st.integers(0, 20))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=8))
        data = data[:at] + piece + data[at + cut :]
    return data


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(answer=mutated() | st.binary(max_size=200), cut=st.integers(0, 300))
def test_any_answer_is_a_completion_or_a_named_failure(answer: bytes, cut: int) -> None:
    async def call() -> None:
        pieces: dict[str, Iterable[bytes]] = {"/v1/chat/completions": [answer[:cut], answer[cut:]]}
        limits: dict[str, Any] = {"retries": 0, "first_timeout": 1.0, "idle_timeout": 1.0}
        async with bomb_server(pieces) as server, client(server.base_url, **limits) as model:
            async for part in model.stream(ask()):
                last = part
            assert isinstance(last, Completion | RequestFailed)
            if isinstance(last, RequestFailed):
                assert "\n" not in str(last.failure)
                assert len(str(last.failure)) < 1500

    asyncio.run(asyncio.wait_for(call(), 10))


@steady
@given(
    data=st.lists(st.sampled_from(PIECES) | st.binary(max_size=60), max_size=20),
    cuts=st.lists(st.integers(0, 2000), max_size=10),
)
def test_any_bytes_are_events_or_a_named_error_and_no_line_grows_beyond_its_limit(
    data: list[bytes], cuts: list[int]
) -> None:
    body = b"".join(data)
    splitter = EventSplitter(longest=100)
    with suppress(BadStream, ResponseTooLarge):
        for start, end in pairwise([0, *sorted(cuts), len(body)]):
            piece = body[start:end]
            assert all(splitter.feed(piece))
            assert len(splitter._rest) <= 100 + len(piece)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
long_texts = st.integers(0, 300_000).map(lambda count: "x" * count)
calls = st.lists(
    st.fixed_dictionaries(
        {"index": st.integers(0, 10**4) | json_values},
        optional={"id": st.text() | json_values, "function": json_values},
    ),
    max_size=3,
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": long_texts | json_values,
        "reasoning": long_texts | json_values,
        "tool_calls": calls | json_values,
    },
)
choices = st.fixed_dictionaries(
    {"delta": deltas | json_values},
    optional={
        "token_ids": st.lists(st.integers(-1, 2**54), max_size=3) | json_values,
        "finish_reason": st.sampled_from(["stop", "tool_calls", "length", None]) | json_values,
        "stop_reason": json_values,
    },
)


@steady
@given(chunks=st.lists(st.lists(choices | json_values, max_size=2), max_size=8))
def test_what_is_put_together_stays_within_its_bounds_and_can_be_recorded(
    chunks: list[list[Any]],
) -> None:
    assembler = Assembler(max_tokens=1, context_length=1)
    with suppress(BadStream, ModelCallFailed, ResponseTooLarge):
        for chunk in chunks:
            list(assembler.add({"choices": chunk}))
    limits = assembler.limits
    assert len(assembler.content) + len(assembler.reasoning) <= limits.characters
    assert len(assembler.generated_ids or ()) <= limits.tokens + 3
    if assembler.finish_reason is not None:
        done = assembler.completion(
            attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=len(chunks)
        )
        assert orjson.dumps([done.stop_reason, done.generated_ids, len(done.calls)])


@steady
@given(
    status=st.integers(0, 999),
    body=st.binary(max_size=200) | json_values.map(lambda value: repr(value).encode()),
    value=st.text(max_size=50),
)
def test_any_refusal_is_a_sentence(status: int, body: bytes, value: str) -> None:
    headers = {"Retry-After": value, "Location": value}
    failure = failure_of_status(status, body, headers, "glm")
    assert str(failure)
    assert failure.retry_after is None or failure.retry_after >= 0


@steady
@given(st.lists(st.sampled_from(["vllm:num_requests_running", "{", "}", " ", "\n", "1", "NaN"])))
def test_any_text_is_a_load(pieces: list[str]) -> None:
    assert 0 <= read_load("".join(pieces)).requests < 2**60
