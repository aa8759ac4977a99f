"""Hostile pages and odd addresses: bounded memory and time, and a sentence for each."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bomb_server import OK, PeakMemory, bomb_server, endless
from tests.fakes.document_sandbox import WITHOUT_SANDBOX
from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tests.fakes.forward_proxy import forward_proxy
from tests.tools.test_web_fetch import NamesToLoopback, fetch, web_fetch
from tools.base import ToolError, ToolOutage
from tools.web.charsets import known_charset
from tools.web.fetch import Fetcher
from tools.web.inflate import UnknownCoding, read_body
from tools.web.search import Search
from tools.web.search_providers.ddgs import DdgsProvider
from tools.web.search_providers.searxng import SearxngProvider
from tools.web.services.request import ServiceError
from tools.web_fetch import WebFetch

pytestmark = pytest.mark.hostile

ZEROS = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB = ZEROS.compress(bytes(200 << 20)) + ZEROS.flush()
"""200 MB in 200 KB."""


async def outcome(tool: WebFetch, url: str) -> str:
    """What the tool shows, or says for a failure."""
    try:
        return (await fetch(tool, url)).text
    except ToolError as error:
        return str(error)


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with fake_site() as site:
        yield site


@pytest.mark.bomb
@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("zstd", zstandard.compress(bytes(64 << 20))),
        ("gzip, gzip", gzip.compress(BOMB)),
        ("br", b"x"),
        ("deflate", zlib.compress(b"x")),
        ("identity, gzip", BOMB),
        ("gzip;q=1", BOMB),
        ("x" * 5000, b"x"),
    ],
)
async def test_codings_that_were_not_asked_for_are_refused_and_named(
    site: FakeSite, coding: str, body: bytes
) -> None:
    site.pages["/"] = Answer(body, "text/plain", headers={"Content-Encoding": coding})
    with PeakMemory() as peak, pytest.raises(ToolError, match=f"compressed as {coding[:40]}"):
        await fetch(web_fetch(), f"http://s.test:{site.port}/")
    assert peak.mb < 50


@pytest.mark.bomb
async def test_a_gzip_bomb_is_cut_at_the_limit_in_little_memory_and_time(site: FakeSite) -> None:
    site.pages["/"] = Answer(BOMB, "text/plain", headers={"Content-Encoding": "gzip"})
    started = time.process_time()
    with PeakMemory() as peak:
        result = await fetch(web_fetch(), f"http://s.test:{site.port}/")
    assert "more than 5,242,880 bytes" in result.text
    assert peak.mb < 100
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "body",
    [b"no gzip", BOMB[:2], BOMB[:10] + b"\xff" * 100, BOMB[:1000]],
    ids=["none", "start", "damaged", "cut"],
)
async def test_damaged_gzip_is_a_sentence_or_what_could_be_read(
    site: FakeSite, body: bytes
) -> None:
    site.pages["/"] = Answer(body, "text/plain", headers={"Content-Encoding": "gzip"})
    said = await outcome(web_fetch(), f"http://s.test:{site.port}/")
    assert "could not be fetched" in said or "[binary file" in said or len(said) < 1000


PADDING = gzip.compress(b"")
ENDLESS = {
    "a body": endless(OK + b"content-type: text/plain\r\n\r\n", b"x" * 1000),
    "packed nothing": endless(OK + b"content-encoding: gzip\r\n\r\n", PADDING),
    "a header": endless(OK + b"x: ", b"y" * 1000),
    "headers": endless(OK, b"x: y\r\n"),
    "interim answers": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "no http": endless(b"", b"x" * 1000),
    "a chunk's extension": endless(OK + b"transfer-encoding: chunked\r\n\r\n5;", b"x" * 1000),
}


@pytest.mark.bomb
@pytest.mark.parametrize("name", ENDLESS)
async def test_what_never_ends_is_cut_or_left_in_time(name: str) -> None:
    async with bomb_server({"/": ENDLESS[name]}) as bomb:
        port = bomb.base_url.rpartition(":")[2].removesuffix("/v1")
        started = time.monotonic()
        with PeakMemory() as peak:
            said = await outcome(web_fetch(timeout=8.0), f"http://s.test:{port}/")
    assert "too large" in said or (said.endswith(".") and len(said) < 500)
    assert "did not answer in full" not in said, "only the clock ended it"
    assert bomb.sent < 32 << 20
    assert time.monotonic() - started < 10
    assert peak.mb < 100


@given(st.binary(max_size=200), st.integers(0, 50), st.lists(st.integers(0, 200), max_size=5))
def test_any_body_in_any_pieces_is_unpacked_up_to_the_limit(
    body: bytes, limit: int, cuts: list[int]
) -> None:
    packed = gzip.compress(body[:70]) + gzip.compress(body[70:])
    for coded, coding in ((packed, "gzip"), (body, ""), (body, "identity")):
        places = [0, *sorted(cuts), len(coded)]
        pieces = [coded[a:b] for a, b in itertools.pairwise(places)]

        async def stream(pieces: list[bytes] = pieces) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        got = asyncio.run(read_body(stream(), coding, limit))
        assert body.startswith(got)
        assert len(got) <= limit + 1


@given(st.binary(max_size=300), st.sampled_from(["gzip", "x-gzip", "GZIP ", "br", ""]))
def test_any_bytes_are_unpacked_or_refused(junk: bytes, coding: str) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield junk

    with suppress(UnknownCoding, zlib.error):
        assert len(asyncio.run(read_body(stream(), coding, 100))) <= 101


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("headers", [{}, {"Location": ""}])
async def test_a_redirect_that_leads_nowhere_is_said(
    site: FakeSite, status: int, headers: dict[str, str]
) -> None:
    site.pages["/"] = Answer(status=status, headers=headers)
    with pytest.raises(ToolError, match=rf"a redirect \({status}\) that leads nowhere"):
        await fetch(web_fetch(), f"http://s.test:{site.port}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://xn--/",
        "http://xn--a/",
        "http://s.test:99999/",
        "http://s.test:999999999999/",
        "http://s.test:-1/",
        "http://s.test:٣/",
        "http://s..test/",
        "http://" + "a" * 300 + ".test/",
        "http://[::1/",
        "http://[fe80::1%25lo]/",
        "http://s.test\\@127.0.0.1/",
        "http://\u2024/",
        "\x1b[31mhttp://s.test/",
    ],
)
async def test_an_odd_address_is_a_sentence_also_as_the_target_of_a_redirect(
    site: FakeSite, url: str
) -> None:
    with pytest.raises(ToolError) as refusal:
        await fetch(WebFetch(Fetcher(timeout=5), WITHOUT_SANDBOX), url)
    assert str(refusal.value).endswith(".")
    location = url.encode("utf-8").decode("latin-1").replace("\x1b", "")
    site.pages["/"] = Answer(status=302, headers={"Location": location})
    tool = web_fetch(allowed=lambda address: False, timeout=5)
    with pytest.raises((ToolError, ToolOutage)) as refusal:
        await fetch(tool, f"http://s.test:{site.port}/")
    assert str(refusal.value).endswith(".")


async def test_a_name_with_one_private_address_is_refused(site: FakeSite) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1", "10.0.0.1"]

    tool = web_fetch(resolve=resolve, allowed=lambda address: address == "127.0.0.1")
    with pytest.raises(ToolError, match="not a public address"):
        await fetch(tool, f"http://s.test:{site.port}/")
    assert site.requests == []


async def test_a_page_is_fetched_through_the_proxy_at_the_address_that_was_checked(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/"] = Answer(b"through", "text/plain")
    async with forward_proxy(site.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:p%20w@"))
        tool = web_fetch(resolve=NamesToLoopback("127.0.0.9"))
        result = await fetch(tool, f"http://s.test:{site.port}/")
    assert result.text == "through"
    assert proxy.heads[0].startswith(f"CONNECT 127.0.0.9:{site.port} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwIHc=\r\n" in proxy.heads[0]
    assert site.requests == [(f"s.test:{site.port}", "/")]


async def test_no_private_address_is_asked_of_a_proxy(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(site.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        tool = web_fetch(allowed=lambda address: address != "127.0.0.1")
        with pytest.raises(ToolError, match="not a public address"):
            await fetch(tool, f"http://s.test:{site.port}/")
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HTTP_PROXY", "http://user:secret@127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1 does not"),
        ("http_proxy", "socks5://127.0.0.1:1", "SOCKS proxy, which is not supported"),
        ("ALL_PROXY", "127.0.0.1:1", "write http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:99999", "write http://HOST:PORT"),
        ("HTTP_PROXY", "ftp://127.0.0.1", "write http://HOST:PORT"),
        ("HTTP_PROXY", "http://", "write http://HOST:PORT"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_and_its_password_is_not(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises((ToolError, ToolOutage), match=words) as refusal:
        await fetch(web_fetch(), f"http://s.test:{site.port}/")
    assert "secret" not in str(refusal.value)
    assert site.requests == []


async def test_a_proxy_that_refuses_a_tunnel_is_named(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(site.port, refuses="403 Forbidden") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ToolError, match=r"gives no tunnel to 127\.0\.0\.1:\d+ \(403\)"):
            await fetch(web_fetch(), f"http://s.test:{site.port}/")


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "zip", "x" * 5000, "\0"])
async def test_a_charset_that_is_none_of_the_web_is_not_decoded(
    site: FakeSite, charset: str
) -> None:
    text = b"a-" + b"9a" * 500_000
    site.pages["/"] = Answer(text, f"text/plain; charset={charset}".replace("\0", "%00"))
    started = time.process_time()
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/")
    assert result.text.startswith("a-9a9a")
    assert time.process_time() - started < 5


async def test_a_page_that_grows_in_the_conversion_is_cut(site: FakeSite) -> None:
    nested = b"<ul><li>x" * 150 + b"<li>y" * 60_000
    site.pages["/"] = Answer(b"<title>t</title>" + nested)
    with PeakMemory() as peak:
        result = await fetch(web_fetch(), f"http://s.test:{site.port}/")
    assert result.text
    assert peak.mb < 150


@pytest.mark.parametrize(
    "charset", ["utf-8", "UTF8", "gb2312", "gbk", "big5", "shift_jis", "euc-kr", "windows-1252"]
)
def test_charsets_of_the_web_are_known(charset: str) -> None:
    assert known_charset(charset) == charset


SEARCH_BOMBS = {
    "a body": endless(OK + b"\r\n", b"[" * 1000),
    "zstd": [OK + b"content-encoding: zstd\r\n\r\nx"],
    "elsewhere": [b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.2:1/\r\ncontent-length: 0\r\n\r\n"],
    "in a circle": [b"HTTP/1.1 302 x\r\nlocation: ?q=1&format=json\r\ncontent-length: 0\r\n\r\n"],
    "no http": [b"x\r\n\r\n"],
}


@pytest.mark.parametrize("name", SEARCH_BOMBS)
async def test_a_search_service_is_not_read_without_an_end_or_followed_elsewhere(name: str) -> None:
    answer = SEARCH_BOMBS[name]
    async with bomb_server(
        {"/search?q=x&format=json": answer, "/search?q=1&format=json": answer}
    ) as bomb:
        provider = SearxngProvider(bomb.base_url.removesuffix("/v1"), timeout=5.0)
        with PeakMemory() as peak, pytest.raises(ServiceError, match="SearXNG at"):
            await provider.fetch(Search("x", 5))
    assert peak.mb < 50


ENGINE = """
class DDGS:
    def __init__(self, timeout, proxy):
        self.proxy = proxy

    def _get_engines(self, *args):
        return []

    def text(self, query, **options):
        %s
"""
ANSWERS = {
    "without an end": ("body = []\n        while True: body.append('x' * (8 << 20))", "broke off"),
    "huge": ("return [{'title': 'x' * (16 << 20)}]", "more than 4,194,304 bytes"),
    "without JSON": ("print('{'); return []", "broke off"),
    "of odd things": ("return [{'title': object(), 'href': 5}]", "<object object"),
    "with the proxy": ("return [{'title': self.proxy}]", "http://user:secret@127.0.0.1:1"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_search_engines_send_is_bounded_by_a_process(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, words = ANSWERS[name]
    (tmp_path / "ddgs").mkdir()
    (tmp_path / "ddgs" / "__init__.py").write_text(ENGINE % code)
    (tmp_path / "ddgs" / "exceptions.py").write_text("class DDGSException(Exception): pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ALL_PROXY", "http://user:secret@127.0.0.1:1")
    with PeakMemory() as peak:
        said = await found_or_failed()
    assert words in said
    assert peak.mb < 100


async def found_or_failed() -> str:
    try:
        provider = DdgsProvider()
        return str(provider.read(await provider.fetch(Search("x", 5))))
    except ServiceError as error:
        return str(error)
