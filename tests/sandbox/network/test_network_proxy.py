"""The proxy against hostile clients, hosts and name servers; nothing here needs a sandbox."""

from __future__ import annotations

import asyncio

import pytest

from tests.sandbox.proxied import Host, Names, get, proxied


async def test_the_host_reads_a_request_that_was_rewritten() -> None:
    host = Host()
    headers = (
        *("Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eDp5", "Connection: X-Hop"),
        *("X-Hop: 1", "Keep-Alive: timeout=5", "TE: trailers", "Upgrade: websocket", "X-End: 1"),
    )
    async with proxied(host) as client:
        answer = await client.say(get("A.test.", *headers).replace("Host: A.test.", "Host: evil"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Connection: close" in answer
    assert answer.endswith(b"\r\n\r\nok")
    assert host.read == [
        f"GET /x?y HTTP/1.1\r\nHost: a.test:{host.port}\r\nX-End: 1\r\nConnection: close\r\n\r\n"
        .encode()
    ]  # fmt: skip


async def test_a_second_request_behind_the_first_is_never_sent() -> None:
    host = Host()
    async with proxied(host) as client:
        answer = await client.say(get() + get("evil.test"))
    assert answer.count(b"HTTP/1.1") == 1
    assert len(host.read) == 1
    assert b"evil" not in host.read[0]


BODY = "POST http://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n"


@pytest.mark.parametrize(
    "request_text",
    [
        BODY + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
        BODY + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        BODY + "Content-Length: +5\r\n\r\nhello",
        BODY + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        BODY + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        BODY + "Content-Length : 5\r\n\r\nhello",
        "GET http://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\nX: a\rb\r\n\r\n",
        "GET http://a.test:PORT/ HTTP/1.1\r\n\r\n",
        "GET  http://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET https://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET ftp://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://u:p@a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test:PORT\\@evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://a.test:PORT/#x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT http://a.test:PORT/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test:PORT HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "SSH-2.0-OpenSSH_9\r\n\r\n",
    ],
)
async def test_what_can_be_read_in_two_ways_is_refused(request_text: str) -> None:
    host = Host()
    async with proxied(host) as client:
        answer = await client.say(request_text)
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 ")), answer
        assert (await client.use()).reason == "bad_request"
    assert all(b"evil" not in read for read in host.read)


async def test_bodies_go_both_ways_in_chunks_and_by_length() -> None:
    host = Host(b"HTTP/1.1 201 Made\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    async with proxied(host) as client:
        chunked = BODY + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        assert b"201 Made" in await client.say(chunked)
        assert (await client.use()).sent == 5
        sized = await client.say(BODY + "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n")
        assert sized.endswith(b"3\r\nabc\r\n0\r\n\r\n")
    assert host.read[0].endswith(b"5\r\nhello\r\n0\r\n\r\n")
    assert host.read[1].endswith(b"\r\n\r\nhello")


async def test_an_old_client_and_an_old_host() -> None:
    host = Host(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
    async with proxied(host) as client:
        answer = await client.say("GET http://a.test:PORT/ HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nuntil the end")


async def test_a_head_request_has_no_body_also_when_it_is_refused() -> None:
    host = Host(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")
    async with proxied(host) as client:
        for name in ("a.test", "other.test"):
            answer = await client.say(get(name).replace("GET", "HEAD", 1))
            assert answer.endswith(b"\r\n\r\n")
            assert b"content-length" in answer.lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_http_is_told(answer: bytes) -> None:
    async with proxied(Host(answer)) as client:
        assert (await client.say(get())).startswith(b"HTTP/1.1 502 ")
        assert (await client.use()).reason == "bad_answer"


async def test_a_header_injected_into_the_answers_words_is_not_taken_for_ours() -> None:
    async with proxied(Host()) as client:
        answer = await client.say("GET http://é\u2028x.test/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_tunnel_carries_what_came_with_its_request_and_ends_with_both_sides() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    async with proxied(Host(serve=echo)) as client:
        reader, writer = await client.open()
        head = f"CONNECT x.b.test:{client.port} HTTP/1.1\r\nHost: x.b.test\r\n\r\n"
        writer.write(head.encode() + b"early")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connected\r\n\r\n"
        writer.write(b", late")
        writer.write_eof()
        assert await reader.read() == b"early, late"
        writer.close()
        use = await client.use()
        assert (use.sent, use.received, use.reason) == (11, 11, "")


async def test_the_address_that_was_looked_at_is_the_one_connected_to() -> None:
    """A name that is public when it is looked at and private after: it is asked for once."""
    names = Names([["127.0.0.1"], ["10.0.0.1"]])
    async with proxied(Host(), names) as client:
        assert (await client.say(get())).startswith(b"HTTP/1.1 200 ")
        assert names.asked == ["a.test"]
        assert (await client.use()).address == "127.0.0.1"
        assert (await client.say(get())).startswith(b"HTTP/1.1 403 ")
        assert (await client.use(2)).reason == "not_public"


@pytest.mark.parametrize(
    "answers",
    [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["169.254.169.254"], ["::1"], []],
)
async def test_one_address_that_may_not_be_reached_taints_the_name(answers: list[str]) -> None:
    host = Host()
    async with proxied(host, Names([answers])) as client:
        assert (await client.say(get())).startswith(b"HTTP/1.1 403 ")
        assert not host.read


async def test_a_listed_address_is_looked_at_too_and_not_resolved() -> None:
    names = Names()
    async with proxied(Host(), names) as client:
        assert (await client.say(get("0x7f.0.0.1"))).startswith(b"HTTP/1.1 200 ")
    async with proxied(Host(), names, may_reach=lambda _: False) as client:
        assert (await client.say(get("127.0.0.1"))).startswith(b"HTTP/1.1 403 ")
    assert not names.asked
