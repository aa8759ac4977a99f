"""A tunnel is for the host that was asked for, and for none that shares its address."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network.allowed_hosts import RequestRefused
from sandbox.network.client_hello import Incomplete, server_name
from sandbox.network.target import RequestTarget
from sandbox.network.tunnel_start import check_start
from tests.sandbox.proxied import Host, proxied


def client_hello(name: str | None) -> bytes:
    """What Python's own TLS first sends."""
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


HELLO = client_hello("a.test")


def in_records(hello: bytes, size: int) -> bytes:
    """The same message, spread over records of so many bytes."""
    message = hello[5:]
    parts = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(hello[:3] + len(part).to_bytes(2, "big") + part for part in parts)


@pytest.mark.parametrize("name", ["a.test", "a" * 63 + ".b.test", None])
def test_the_name_in_a_clients_first_message(name: str | None) -> None:
    hello = client_hello(name)
    assert server_name(hello) == name
    assert server_name(in_records(hello, len(hello) // 8) + b"more") == name


def test_a_message_in_scraps_is_refused_before_it_costs_time() -> None:
    with pytest.raises(ValueError, match="too many records"):
        server_name(in_records(HELLO, 1)[:120])


@given(st.integers(0, len(HELLO) - 1))
def test_a_part_of_the_message_is_waited_for(size: int) -> None:
    with pytest.raises(Incomplete):
        server_name(HELLO[:size])


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_a_damaged_message_is_read_or_refused(at: int, byte: int) -> None:
    damaged = HELLO[:at] + bytes([byte]) + HELLO[at + 1 :]
    with suppress(ValueError, Incomplete):
        assert isinstance(server_name(damaged), str | None)


@given(st.binary(min_size=1, max_size=300))
def test_nothing_but_tls_for_the_host_passes_at_port_443(data: bytes) -> None:
    with pytest.raises((RequestRefused, Incomplete)):
        check_start(data, RequestTarget("a.test", 443))


@pytest.mark.parametrize(
    ("host", "port", "data", "passes"),
    [
        ("a.test", 443, HELLO, True),
        ("a.test", 443, client_hello("A.TEST"), True),
        ("a.test", 443, client_hello("b.test"), False),
        ("a.test", 443, client_hello("x.a.test"), False),
        ("a.test", 443, client_hello(None), False),
        ("a.test", 443, b"GET / HTTP/1.1\r\n", False),
        ("a.test", 443, b"SSH-2.0-x\r\n", False),
        ("a.test", 8443, client_hello("b.test"), False),
        ("a.test", 22, b"SSH-2.0-x\r\n", True),
        ("93.184.215.14", 443, client_hello(None), True),
        ("93.184.215.14", 443, client_hello("b.test"), False),
    ],
)
def test_what_passes_where(host: str, port: int, data: bytes, passes: bool) -> None:
    if passes:
        check_start(data, RequestTarget(host, port))
    else:
        with pytest.raises(RequestRefused, match=f"The tunnel to {host}"):
            check_start(data, RequestTarget(host, port))


@pytest.mark.parametrize("pieces", [1, 100])
async def test_a_tunnel_with_another_hosts_tls_carries_nothing(pieces: int) -> None:
    read = b""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        read = await reader.read()
        writer.close()

    for name in ("evil.test", "a.test"):
        hello = client_hello(name)
        async with proxied(Host(serve=take)) as client:
            reader, writer = await client.open()
            writer.write(f"CONNECT a.test:{client.port} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            step = len(hello) // pieces + 1
            for start in range(0, len(hello), step):
                writer.write(hello[start : start + step])
                await asyncio.sleep(0)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            use = await client.use()
        if name == "a.test":
            assert (read, use.reason) == (hello, "")
        else:
            assert (read, use.reason, use.sent) == (b"", "misdirected", 0)


async def test_at_port_80_no_tunnel_is_opened() -> None:
    async with proxied(Host()) as client:
        answer = await client.say("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"ask for http:// without a tunnel" in answer
