"""No client and no host can hold the proxy, fill its memory or keep others waiting."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.docker.leftovers import remove_leftovers
from sandbox.network.exchange import HEAD_SIZE, Timeouts
from sandbox.network.folder import SocketFolder
from sandbox.network.proxy import RateLimiter
from sandbox.own_folder import remove_leftover_folders
from tests.sandbox.proxied import Host, get, proxied

PIECE = b"x" * (1 << 20)


def tunnel_to(port: int) -> bytes:
    return f"CONNECT a.test:{port} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode()


def asking(port: int, is_tunnel: bool) -> bytes:
    """A request whose answer never ends."""
    return tunnel_to(port) + b"x" if is_tunnel else get().replace("PORT", str(port)).encode()


async def drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        pass


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send without end, in an answer or a tunnel."""
    try:
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(PIECE)
            await writer.drain()
    except OSError:
        writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and never answer."""
    await reader.read()
    writer.close()


@pytest.mark.parametrize("begin", [b"", b"GET http://a.te", b"GET http://a.test/ HTTP/1.1\r\nX: "])
async def test_a_client_that_does_not_finish_its_request_is_let_go(begin: bytes) -> None:
    async with proxied(Host(), timeouts=Timeouts(head=0.2)) as client:
        answer = await client.say(begin)
        assert answer.startswith(b"HTTP/1.1 408 ") if begin else not answer
        if begin:
            assert (await client.use()).reason == "bad_request"
    assert len(client.uses) == bool(begin)


async def test_a_head_without_end_is_refused() -> None:
    async with proxied(Host()) as client:
        answer = await client.say(b"GET http://a.test/ HTTP/1.1\r\nX: " + b"y" * (4 * HEAD_SIZE))
        assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("where", ["head", "trailers"])
async def test_thousands_of_short_lines_are_refused_before_they_are_work(where: str) -> None:
    async with proxied(Host(serve=silent)) as client:
        asked = b"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n"
        if where == "trailers":
            head = get("a.test", "Transfer-Encoding: chunked").replace("GET", "POST")
            asked = head.replace("PORT", str(client.port)).encode() + b"0\r\n"
        answer = await client.say(asked + b"a:\r\n" * 60_000 + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"more than 200 headers" in answer


@pytest.mark.parametrize("is_tunnel", [True, False])
async def test_a_host_that_says_nothing_is_left(is_tunnel: bool) -> None:
    async with proxied(Host(serve=silent), timeouts=Timeouts(idle=0.3)) as client:
        answer = await client.say(tunnel_to(client.port) if is_tunnel else get())
        assert answer.startswith(b"HTTP/1.1 200 " if is_tunnel else b"HTTP/1.1 504 ")
        assert (await client.use()).reason == "timeout"


@pytest.mark.parametrize("is_tunnel", [True, False])
async def test_what_a_client_does_not_read_is_not_fetched(is_tunnel: bool) -> None:
    sent = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(PIECE)
            await writer.drain()
            sent += len(PIECE)

    async with proxied(Host(serve=count), timeouts=Timeouts(idle=1)) as client:
        _, writer = await client.open()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(asking(client.port, is_tunnel))
        assert (await client.use()).reason == "timeout"
        assert sent < 30 * len(PIECE)  # what the kernel's buffers hold
        writer.close()


@pytest.mark.parametrize("is_tunnel", [True, False])
async def test_others_get_their_turn_while_much_is_copied(is_tunnel: bool) -> None:
    async with proxied(Host(serve=pour)) as client:
        reader, writer = await client.open()
        writer.write(asking(client.port, is_tunnel))
        draining = asyncio.create_task(drain(reader))
        turns = 0
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            await asyncio.sleep(0)
            turns += 1
        draining.cancel()
        writer.close()
        assert turns > 20


async def test_others_get_their_turn_while_an_upload_comes_in_chunks_of_a_byte() -> None:
    async with proxied(Host(serve=silent)) as client:
        _, writer = await client.open()
        head = get("a.test", "Transfer-Encoding: chunked").replace("GET", "POST")
        writer.write(head.replace("PORT", str(client.port)).encode() + b"1\r\nx\r\n" * 200_000)
        turns = 0
        end = time.monotonic() + 1
        while time.monotonic() < end:
            await asyncio.sleep(0)
            turns += 1
        writer.transport.abort()
        assert turns > 200


async def test_clients_beyond_the_limit_wait_until_there_is_room() -> None:
    async with proxied(Host(serve=silent), connections=2) as client:
        held = [await client.open() for _ in range(2)]
        for _, writer in held:
            writer.write(tunnel_to(client.port))
        for reader, _ in held:
            await reader.readuntil(b"\r\n\r\n")
        waiting = asyncio.create_task(client.say(get("other.test")))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        held[0][1].close()
        assert (await waiting).startswith(b"HTTP/1.1 403 ")
        held[1][1].close()


async def test_closing_ends_every_connection_and_leaves_nothing() -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with proxied(Host(serve=silent)) as client:
        folder = client.proxy.folder
        readers = []
        for _ in range(5):
            reader, writer = await client.open()
            writer.write(tunnel_to(client.port))
            await reader.readuntil(b"\r\n\r\n")
            readers.append((reader, writer))
        await client.proxy.close()
        assert [await reader.read() for reader, _ in readers] == [b""] * 5
        assert {use.reason for use in client.uses} == {"closed"}
        for _, writer in readers:
            writer.close()
        assert not folder.parent.exists()
    async with asyncio.timeout(30):
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_burst_is_served_at_once_and_a_flood_at_its_pace() -> None:
    limiter = RateLimiter(rate=10, burst=100)
    assert sum(limiter.delay() for _ in range(100)) == 0
    assert 0.9 < [limiter.delay() for _ in range(10)][-1] <= 1.1


def test_the_folder_is_closed_to_others_and_open_to_the_container_that_mounts_it() -> None:
    folder = SocketFolder()
    try:
        assert stat.S_IMODE(folder.shared.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.shared.stat().st_mode) == 0o711
        assert remove_leftover_folders() == 0
        assert folder.shared.exists()
    finally:
        folder.close()
    assert not folder.shared.parent.exists()
    folder.close()


def test_the_folder_of_a_killed_owner_is_removed_by_the_next() -> None:
    program = """
        import time
        from sandbox.network.folder import SocketFolder
        print(SocketFolder().shared, flush=True)
        time.sleep(600)
    """
    code = "\n".join(line.strip() for line in program.splitlines())
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    shared = Path(owner.stdout.readline().strip())
    assert remove_leftover_folders() == 0 or shared.exists()
    assert shared.exists()
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    remove_leftovers()
    assert not shared.parent.exists()
