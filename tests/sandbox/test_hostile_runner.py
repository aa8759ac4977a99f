"""A runner that answers nonsense: its sandbox is lost with a sentence, nothing else is."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.client.calls import RunnerCalls
from sandbox.client.stream import RunnerStream
from sandbox.network.log import NetworkLog
from sandbox.network.sandbox_network import SandboxNetwork
from sandbox.protocol import (
    CommandResult,
    FileData,
    Job,
    Limits,
    ProcessResult,
    SandboxError,
    SandboxLost,
)
from sandbox.runner.frames import FrameDecoder, Head, encode

pytestmark = pytest.mark.hostile

GOOD: Head = {
    "ev": "result",
    "exit_code": 0,
    "signal": None,
    "seconds": 0.5,
    "timed_out": False,
    "limits": [],
    "dropped": 0,
    "dropped_at": 0,
    "held": False,
    "lost": None,
    "cwd": "/workspace",
    "truncated": False,
    "size": 1,
    "mode": 0o644,
    "mtime": 1.5,
    "path": "/workspace/a",
    "sha256": None,
    "offset": 0,
}
"""What every call can be answered with."""
RESULTS: dict[str, type] = {
    "bash": CommandResult,
    "python": CommandResult,
    "run": ProcessResult,
    "read_file": FileData,
    "write_file": FileData,
    "start_job": Job,
}
CALLS: dict[str, Callable[[RunnerCalls], Coroutine[Any, Any, object]]] = {
    "bash": lambda calls: calls.bash("true"),
    "python": lambda calls: calls.python("1"),
    "run": lambda calls: calls.run(["true"]),
    "read_file": lambda calls: calls.read_file("a"),
    "write_file": lambda calls: calls.write_file("a", b"a"),
    "start_job": lambda calls: calls.start_job("true"),
}
WILD: list[Any] = ["x", -1, 2**53, 10**4000, 1e999, float("nan"), True, [], [[]], {}, {"a": 1}]
WILD += ["y" * 100_000, ["time"] * 1000, ["never"], None]


class Answers(asyncio.WriteTransport):
    """A runner that answers each request with the same head."""

    def __init__(self, stream: RunnerStream, head: Head, body: bytes = b"") -> None:
        super().__init__()
        self._stream, self._head, self._body = stream, head, body
        self._decoder = FrameDecoder()

    def write(self, data: Any) -> None:
        for head, _ in self._decoder.feed(data):
            answer = {**self._head, "id": head["id"]}
            frame = encode(answer, self._body)
            asyncio.get_running_loop().call_soon(self._stream.feed, frame)

    def close(self) -> None:
        pass


def answered(head: Head, body: bytes = b"") -> RunnerCalls:
    stream = RunnerStream()
    stream.connect(Answers(stream, head, body))
    return RunnerCalls(stream, Limits(), SandboxNetwork(NetworkLog(), None))


@pytest.mark.parametrize("name", CALLS)
async def test_every_call_takes_a_good_answer(name: str) -> None:
    assert type(await CALLS[name](answered(GOOD))) is RESULTS[name]


@pytest.mark.parametrize("field", [name for name in GOOD if name != "ev"])
async def test_a_value_of_another_kind_loses_the_sandbox_at_most(field: str) -> None:
    said = []
    for wild in WILD:
        for call in CALLS.values():
            calls = answered(GOOD | {field: wild})
            try:
                await call(calls)
            except SandboxLost as lost:
                said.append(str(lost))
            except (SandboxError, TimeoutError):
                pass
    assert all(len(words) < 500 for words in said)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "error"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)))  # fmt: skip
def test_no_answer_is_a_fault(values: Head) -> None:
    async def ask() -> None:
        for name, call in CALLS.items():
            try:
                async with asyncio.timeout(5):
                    result = await call(answered(GOOD | values | {"ev": "result"}))
            except (SandboxError, TimeoutError):
                continue
            assert type(result) is RESULTS[name]

    asyncio.run(ask())


async def test_a_status_that_no_system_knows_is_the_nearest() -> None:
    result = await answered(GOOD | {"exit_code": 10**30}).bash("true")
    assert isinstance(result, CommandResult)
    assert result.exit_code == 2**31 - 1


async def test_small_pieces_take_no_more_memory_than_their_bytes() -> None:
    stream = RunnerStream()
    stream.connect(Answers(stream, {"ev": "output"}))
    call = asyncio.create_task(stream.call({"op": "bash"}))
    await asyncio.sleep(0)
    pieces = encode({"id": 1, "ev": "output"}, b"ab") * 10_000
    tracemalloc.start()
    for _ in range(10):
        stream.feed(pieces)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1 << 20
    call.cancel()


@pytest.mark.bomb
@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({"ev": "x"}, b""),
        ({"ev": "hello"}, b""),
        ({"ev": "output", "id": 99}, b""),
        ({"ev": "output", "id": 1}, b""),
        ({"ev": "output", "id": 1}, bytes(1 << 20)),
    ],
)
async def test_frames_without_an_end_lose_the_sandbox(head: Head, body: bytes) -> None:
    stream = RunnerStream()
    stream.connect(Answers(stream, {"ev": "output"}))
    call = asyncio.create_task(stream.call({"op": "bash"}, asks=1 << 20))
    await asyncio.sleep(0)
    frame, fed = encode(head, body), 0
    many = frame * (1 + (1 << 16) // len(frame))
    while stream.lost is None and fed < 200 << 20:
        stream.feed(many)
        fed += len(many)
    with pytest.raises(SandboxLost, match="it sends"):
        await call
    assert fed < 100 << 20


async def test_losses_that_nobody_asked_for_do_not_pile_up() -> None:
    stream = RunnerStream()
    calls = RunnerCalls(stream, Limits(), SandboxNetwork(NetworkLog(), None))
    stream.connect(Answers(stream, GOOD))
    for number in range(1000):
        stream.feed(encode({**GOOD, "id": 10**6 + number, "lost": "x" * 1000}))
    result = await calls.bash("true")
    assert result.lost_state is not None
    assert len(result.lost_state) < 20_000


@pytest.mark.parametrize(
    "said",
    [
        [{"job": 1, "port": 0}],
        [{"job": 1, "port": 65536}],
        [{"job": 1, "port": "80"}],
        [{"job": 2, "port": 80}],
        [{"job": 1}],
        [{"job": 1, "port": 80}, {"job": 1, "port": 80}],
        [{"job": 1, "port": 80 + number} for number in range(17)],
    ],
)
async def test_a_port_that_cannot_be_loses_the_sandbox(said: list[Head]) -> None:
    calls = answered(GOOD)
    reported: list[tuple[int, int]] = []
    calls.watch_ports(lambda job, port: reported.append((job, port)))
    await calls.start_job("true")
    for head in said:
        assert calls.lost is None
        calls._stream.feed(encode({"ev": "port", **head}))
    assert "cannot be understood" in (calls.lost or "")
    assert len(reported) == len(said) - 1


class Connects(Answers):
    """A runner that lets every connection succeed, and says something of the first one."""

    def __init__(self, stream: RunnerStream, said: list[tuple[Head, bytes]]) -> None:
        super().__init__(stream, {"ev": "result", "error": None})
        self._said = said

    def write(self, data: Any) -> None:
        for head, _ in self._decoder.feed(data):
            if head["op"] != "connect":
                continue
            self._stream.feed(encode({**self._head, "id": head["id"]}))
            for said, body in self._said:
                self._stream.feed(encode({"conn": 1, **said}, body))


@pytest.mark.parametrize(
    "said",
    [
        [({"ev": "conn_data"}, b"")],
        [({"ev": "conn_data"}, b"x" * (1 << 17)), ({"ev": "conn_data"}, b"x")],
        [({"ev": "conn_end"}, b""), ({"ev": "conn_data"}, b"x")],
        [({"ev": "conn_more", "bytes": 1}, b"")],
        [({"ev": "conn_more", "bytes": -1}, b"")],
        [({"ev": "conn_more"}, b"")],
        [({"ev": "result"}, b"")],
        [({"ev": "conn_data", "conn": []}, b"x")],
        [({"ev": "conn_data", "conn": 7}, b"x")] * 10_001,
    ],
)
async def test_a_connection_that_cannot_be_loses_the_sandbox(
    said: list[tuple[Head, bytes]],
) -> None:
    stream = RunnerStream()
    stream.connect(Connects(stream, said))
    calls = RunnerCalls(stream, Limits(), SandboxNetwork(NetworkLog(), None))
    connection = await calls.connect(8000)
    assert "cannot be understood" in (calls.lost or "")
    with pytest.raises(ConnectionError):
        await connection.write(b"x")
    connection.close()
