"""Pages of the public web as text; nothing private is ever reached."""

from __future__ import annotations

import gzip
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.network.addresses import is_public
from tests.fakes.document_sandbox import WITHOUT_SANDBOX
from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tools.base import ToolError, ToolResult
from tools.web.fetch import Fetcher
from tools.web_fetch import WebFetch, WebFetchParams

ARTICLE = """<html><head><title>On lighthouses</title></head><body>
<nav><a href="/home">Home</a><a href="/about">About</a></nav>
<article><h1>On lighthouses</h1>
<p>A lighthouse is a tower that shows a light to ships, so that they find their way at night.
It stands where the coast is dangerous and where a harbour begins. Its keepers lived beside it.</p>
<h2>Lenses</h2>
<p>The <b>Fresnel</b> lens made it possible to see a small lamp over twenty miles away, since it
gathers nearly all of the light into one beam. See <a href="/lens">how a lens is made</a>.</p>
<pre><code>def beam(lamp):
    return lens(lamp)
</code></pre>
<table><tr><th>Order</th><th>Height</th></tr><tr><td>First</td><td>2590 mm</td></tr></table>
</article><script>track("you")</script></body></html>"""


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with fake_site() as site:
        yield site


class NamesToLoopback:
    """Resolves every name to this machine, and counts how often it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers or ("127.0.0.1",)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return [self.answers[min(len(self.asked), len(self.answers)) - 1]]


def web_fetch(**options: Any) -> WebFetch:
    options.setdefault("resolve", NamesToLoopback())
    options.setdefault("allowed", lambda address: True)
    return WebFetch(Fetcher(**options), WITHOUT_SANDBOX)


async def fetch(tool: WebFetch, url: str, **params: Any) -> ToolResult:
    return await tool.run(WebFetchParams(url=url, **params), lambda output: None)


async def test_html_becomes_markdown_of_its_main_text(site: FakeSite) -> None:
    site.pages["/"] = Answer(ARTICLE.encode())
    result = await fetch(web_fetch(), f"http://site.test:{site.port}/")
    assert result.error is None
    assert "# On lighthouses" in result.text
    assert "twenty miles" in result.text
    assert "**Fresnel**" in result.text
    assert f"[how a lens is made](http://site.test:{site.port}/lens)" in result.text
    assert "def beam(lamp):\n    return lens(lamp)" in result.text
    assert "| First | 2590 mm |" in result.text
    assert "track(" not in result.text
    assert result.raw == ARTICLE.encode()
    assert result.details["status"] == 200


async def test_a_page_without_a_main_text_is_shown_whole(site: FakeSite) -> None:
    links = "".join(f"<li><a href='/{n}'>Item {n}</a></li>" for n in range(30))
    site.pages["/"] = Answer(f"<title>List</title><ul>{links}</ul>".encode())
    result = await fetch(web_fetch(), f"http://site.test:{site.port}/")
    assert "Item 0" in result.text
    assert "Item 29" in result.text


async def test_html_in_another_charset(site: FakeSite) -> None:
    html = f"<html><body><p>{'Größe und Länge sind wichtig. ' * 30}</p></body></html>"
    site.pages["/"] = Answer(html.encode("latin-1"), "text/html; charset=iso-8859-1")
    result = await fetch(web_fetch(), f"http://site.test:{site.port}/")
    assert "Größe und Länge" in result.text


async def test_json_and_text_are_shown_as_they_are(site: FakeSite) -> None:
    site.pages["/a.json"] = Answer(b'{"a": [1, 2]}\n', "application/json")
    site.pages["/raw"] = Answer(b"x = 1\r\ny = 2\x1b[31m", None)
    tool = web_fetch()
    assert (await fetch(tool, f"http://s.test:{site.port}/a.json")).text == '{"a": [1, 2]}\n'
    assert (await fetch(tool, f"http://s.test:{site.port}/raw")).text == "x = 1\ny = 2\\x1b[31m"


async def test_other_files_are_described(site: FakeSite) -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")
    site.pages["/p.png"] = Answer(png, "image/png")
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/p.png")
    assert result.text == (
        "[PNG image, 640 x 480 pixels (image/png), 24 bytes; only text can be shown]"
    )


async def test_a_long_page_is_read_in_parts_and_fetched_once(site: FakeSite) -> None:
    text = "".join(f"line {n}\n" for n in range(5000))
    site.pages["/t"] = Answer(text.encode(), "text/plain")
    tool = web_fetch()
    url = f"http://s.test:{site.port}/t"
    shown, offset = "", 0
    while offset < len(text):
        result = await fetch(tool, url, offset=offset, limit=20_000)
        part = result.text.rpartition("\n[")[0]
        assert result.cut is not None
        assert result.cut.bytes == len(text) - len(part)
        shown += part
        offset += len(part)
    assert shown == text
    assert len(site.requests) == 1
    with pytest.raises(ToolError, match="nothing is left"):
        await fetch(tool, url, offset=len(text))


async def test_a_compressed_page_is_unpacked(site: FakeSite) -> None:
    packed = gzip.compress(b"hello " * 100)
    site.pages["/z"] = Answer(packed, "text/plain", headers={"Content-Encoding": "gzip"})
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/z")
    assert result.text.startswith("hello hello")


async def test_a_page_larger_than_the_limit_is_cut_and_says_so(site: FakeSite) -> None:
    bomb = gzip.compress(bytes(20 << 20).replace(b"\0", b"x"))
    site.pages["/z"] = Answer(bomb, "text/plain", headers={"Content-Encoding": "gzip"})
    result = await fetch(web_fetch(max_bytes=100_000), f"http://s.test:{site.port}/z")
    assert "[the page is too large: this is its beginning]" in result.text
    assert len(result.raw or b"") == 100_000


async def test_an_error_page_is_an_error_with_its_text(site: FakeSite) -> None:
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/missing")
    assert result.error == "http_error"
    assert "[HTTP 404 Not Found]" in result.text
    assert "Nothing here." in result.text


async def test_redirects_are_followed_and_said(site: FakeSite) -> None:
    site.pages["/a"] = Answer(status=302, headers={"Location": "/b?x=1"})
    site.pages["/b"] = Answer(b"there", "text/plain")
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/a")
    assert result.text == f"there\n[from http://s.test:{site.port}/b?x=1]"


async def test_endless_redirects_end(site: FakeSite) -> None:
    site.pages["/a"] = Answer(status=302, headers={"Location": "/a"})
    with pytest.raises(ToolError, match="redirects more than 5 times"):
        await fetch(web_fetch(), f"http://s.test:{site.port}/a")


async def test_a_silent_server_is_given_up(site: FakeSite) -> None:
    site.pages["/a"] = Answer(b"late", silence=2)
    with pytest.raises(ToolError, match="did not answer in full"):
        await fetch(web_fetch(timeout=0.2), f"http://s.test:{site.port}/a")


async def test_a_server_that_is_not_there() -> None:
    with pytest.raises(ToolError, match="could not be fetched"):
        await fetch(web_fetch(), "http://s.test:1/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://127.1:{port}/",
        "http://0:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://[fd00:ec2::254]/",
    ],
)
async def test_private_addresses_are_refused_however_they_are_written(
    site: FakeSite, url: str
) -> None:
    tool = WebFetch(Fetcher(timeout=5), WITHOUT_SANDBOX)
    with pytest.raises(ToolError) as refusal:
        await fetch(tool, url.format(port=site.port))
    assert refusal.value.kind in ("refused_address", "bad_url")
    assert site.requests == []


async def test_a_name_that_resolves_to_a_private_address_is_refused(site: FakeSite) -> None:
    tool = WebFetch(Fetcher(resolve=NamesToLoopback("127.0.0.1")), WITHOUT_SANDBOX)
    with pytest.raises(ToolError, match="not a public address"):
        await fetch(tool, f"http://innocent.test:{site.port}/")
    assert site.requests == []


async def test_a_redirect_to_a_private_address_is_refused(site: FakeSite) -> None:
    site.pages["/a"] = Answer(status=302, headers={"Location": f"http://inner.test:{site.port}/b"})

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2" if host == "inner.test" else "127.0.0.1"]

    tool = web_fetch(resolve=resolve, allowed=lambda address: address == "127.0.0.1")
    with pytest.raises(ToolError, match=r"inner\.test is not a public address"):
        await fetch(tool, f"http://s.test:{site.port}/a")
    assert [path for _, path in site.requests] == ["/a"]


async def test_a_name_cannot_be_rebound_between_check_and_connection(site: FakeSite) -> None:
    site.pages["/"] = Answer(b"ok", "text/plain")
    resolver = NamesToLoopback("127.0.0.1", "127.0.0.66")
    tool = web_fetch(resolve=resolver, allowed=lambda address: address == "127.0.0.1")
    result = await fetch(tool, f"http://rebind.test:{site.port}/")
    assert result.text == "ok"
    assert resolver.asked == ["rebind.test"]
    assert site.requests == [(f"rebind.test:{site.port}", "/")]


async def test_the_next_address_is_tried_when_one_does_not_answer(site: FakeSite) -> None:
    site.pages["/"] = Answer(b"ok", "text/plain")

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.3", "127.0.0.1"]

    result = await fetch(web_fetch(resolve=resolve), f"http://s.test:{site.port}/")
    assert result.text == "ok"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for site.test in one file with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is needed to make a certificate")
    path = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x"
    files = ["-keyout", str(path), "-out", str(tmp_path / "c")]
    names = ["-addext", "subjectAltName=DNS:site.test", *files]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "c").read_text())
    return path


async def test_certificates_are_checked_against_the_name_not_the_address(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr("tools.web.fetch.trusted", lambda: trusting)
    with fake_site(server) as site:
        site.pages["/"] = Answer(b"ok", "text/plain")
        result = await fetch(web_fetch(), f"https://site.test:{site.port}/")
        assert result.text == "ok"
        with pytest.raises(ToolError, match="CERTIFICATE_VERIFY_FAILED"):
            await fetch(web_fetch(), f"https://other.test:{site.port}/")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "not an http or https URL"),
        ("ftp://s.test/x", "not an http or https URL"),
        ("s.test/x", "not an http or https URL"),
        ("http://", "not an http or https URL"),
        ("http://user:secret@s.test/", "user name"),
        ("http://s.test:99999/", "no possible port"),
        ("http://s.test:0/", "no possible port"),
        ("http://s.test/\0", "not a URL"),
    ],
)
async def test_what_is_no_web_address_is_refused(url: str, said: str) -> None:
    with pytest.raises(ToolError, match=said) as refusal:
        await fetch(web_fetch(), url)
    assert refusal.value.kind == "bad_url"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("192.0.0.192", False),
        ("fec0::1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::7f00:1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::f5ff:fffe", False),
        ("::ffff:93.184.216.34", True),
        ("::ffff:0:93.184.216.34", True),
        ("2606:2800:220:1::5efe:5db8:d822", True),
        ("::ffff:10.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("::ffff:0:169.254.169.254", False),
        ("2606:2800:220:1::5efe:a00:1", False),
        ("2606:2800:220:1:200:5efe:127.0.0.1", False),
        ("fe80::5efe:5db8:d822", False),
        ("2002:5db8:d822::5efe:a00:1", False),
        ("2002:a00:1::5efe:5db8:d822", False),
        ("64:ff9b:1::5db8:d822", False),
        ("fe80::1%lo", False),
        ("fc00::1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_hostile_html_does_not_stall(site: FakeSite) -> None:
    site.pages["/deep"] = Answer(b"<div>" * 20_000 + b"text")
    result = await fetch(web_fetch(), f"http://s.test:{site.port}/deep")
    assert result.text
