"""Connections to ports inside: bytes both ways, halves that end, floods, refusals."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sandbox.ports import PortConnection
from sandbox.protocol import Sandbox

pytestmark = pytest.mark.asyncio

_SERVER = """
import socket, sys, threading
family, port = (socket.AF_INET6, 8123) if sys.argv[1:] == ["6"] else (socket.AF_INET, 8123)
with socket.create_server(("::1" if sys.argv[1:] == ["6"] else "127.0.0.1", port),
                          family=family, backlog=200) as server:
    print("listens", flush=True)
    while True:
        def serve(client):
            kind = client.recv(1)
            if kind == b"f":
                while True:
                    client.sendall(bytes(1 << 20))
            while data := client.recv(1 << 16):
                client.sendall(data) if kind == b"e" else None
            client.sendall(b"over")
            client.close()
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


async def _serve(sandbox: Sandbox, *words: str) -> None:
    await sandbox.write_file("server.py", _SERVER.encode())
    job = await sandbox.start_job(f"python3 server.py {' '.join(words)}")
    async with asyncio.timeout(20):
        while b"listens" not in (await sandbox.read_job(job.job_id)).data:
            await sandbox.wait_job(job.job_id, timeout=0.1)


async def _all_of(connection: PortConnection) -> bytes:
    received = b""
    while data := await connection.read():
        received += data
    return received


@pytest.mark.parametrize("words", [(), ("6",)])
async def test_bytes_pass_both_ways_and_each_side_ends_by_itself(
    sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    await _serve(sandbox, *words)
    sent = bytes(range(256)) * (1 << 13)
    connection = await sandbox.connect(8123)

    async def send() -> None:
        await connection.write(b"e" + sent)
        connection.end()

    sending = asyncio.create_task(send())
    assert await asyncio.wait_for(_all_of(connection), 30) == sent + b"over"
    await sending
    connection.close()
    connection.close()


async def test_where_nothing_listens_the_connection_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ConnectionRefusedError, match="8999: nothing accepts connections there"):
        await sandbox.connect(8999)


async def test_a_port_that_floods_costs_nobody_else_anything(sandbox: Sandbox) -> None:
    await _serve(sandbox)
    flooding = [await sandbox.connect(8123) for _ in range(8)]
    for connection in flooding:
        await connection.write(b"f")
    await asyncio.sleep(0.5)
    assert min([await sandbox.ping() for _ in range(5)]) < 0.5
    assert (await sandbox.bash("echo here")).output == b"here\n"
    received = 0
    while received < 4 << 20:  # it goes on where it is read
        received += len(await flooding[0].read())
    for connection in flooding:
        connection.close()
    assert (await sandbox.bash("echo here")).output == b"here\n"


async def test_so_many_connections_are_open_at_a_time(sandbox: Sandbox) -> None:
    await _serve(sandbox)
    opened = [await sandbox.connect(8123) for _ in range(64)]
    with pytest.raises(ConnectionRefusedError, match="64 connections are open"):
        await sandbox.connect(8123)
    opened[0].close()
    (await sandbox.connect(8123)).close()


async def test_a_connection_is_broken_with_what_served_it(sandbox: Sandbox) -> None:
    await _serve(sandbox)
    connection = await sandbox.connect(8123)
    await connection.write(b"e")
    reading = asyncio.create_task(connection.read())
    await sandbox.kill_all()
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reading, 10) == b""


async def test_a_connection_is_broken_with_its_sandbox(sandbox: Sandbox) -> None:
    await _serve(sandbox)
    connection = await sandbox.connect(8123)
    reading = asyncio.create_task(connection.read())
    await asyncio.sleep(0.1)
    await sandbox.close()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(reading, 10)
