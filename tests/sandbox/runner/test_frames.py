"""The frame protocol: what is encoded comes back whatever the cuts; nonsense is refused."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.client.stream import RunnerStream
from sandbox.protocol import SandboxLost
from sandbox.runner.frames import HEADER, MAX_BODY, MAX_HEAD, FrameDecoder, FrameError, encode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
frames = st.tuples(st.dictionaries(st.text(), json_values, max_size=4), st.binary(max_size=200))


@given(st.lists(frames, max_size=8), st.data())
def test_frames_come_back_whatever_the_cuts(
    sent: list[tuple[dict[str, object], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(encode(head, body) for head, body in sent)
    decoder = FrameDecoder()
    received = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    assert received == sent


@given(st.binary(max_size=400))
def test_any_bytes_either_wait_decode_or_are_refused(noise: bytes) -> None:
    decoder = FrameDecoder()
    try:
        for head, body in decoder.feed(noise):
            assert isinstance(head, dict)
            assert isinstance(body, bytes)
    except FrameError:
        pass


def test_surrogates_of_undecodable_names_survive() -> None:
    head = {"path": b"caf\xe9".decode("utf-8", "surrogateescape")}
    assert FrameDecoder().feed(encode(head)) == [(head, b"")]


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack(">II", MAX_HEAD + 1, 0),
        struct.pack(">II", 2, MAX_BODY + 1),
        struct.pack(">II", 0, 0),
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 2, 0) + b"xx",
        struct.pack(">II", 2, 0) + b"\xff\xff",
    ],
)
def test_impossible_frames_are_refused_at_once(stream: bytes) -> None:
    with pytest.raises(FrameError):
        FrameDecoder().feed(stream)


def test_a_frame_that_no_reader_takes_is_not_sent() -> None:
    with pytest.raises(FrameError):
        encode({}, bytes(MAX_BODY + 1))


def test_a_head_nested_without_end_is_no_frame() -> None:
    head = b"[" * 200_000
    with pytest.raises(FrameError):
        FrameDecoder().feed(HEADER.pack(len(head), 0) + head)


async def test_a_stream_that_sends_more_than_any_call_asks_for_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sandbox.client.stream._SLACK", 1000)
    stream = RunnerStream()
    stream.connect(_Nowhere())
    call = asyncio.create_task(stream.call({"op": "bash"}))
    await asyncio.sleep(0)
    for _ in range(20):
        stream.feed(encode({"id": 1, "ev": "output"}, bytes(100)))
    with pytest.raises(SandboxLost, match="more than the call asks for"):
        await call


async def test_a_stream_whose_greeting_nobody_waits_for_any_more_ends_in_full() -> None:
    stream = RunnerStream()
    told: list[str | None] = []
    stream.on_lost.append(lambda: told.append(stream.lost))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.hello, 0.01)
    stream.end("it was slow")
    assert told == ["it was slow"]


class _Nowhere(asyncio.WriteTransport):
    def write(self, data: object) -> None:
        pass

    def close(self) -> None:
        pass
