"""Which hosts are asked for through the environment's proxy."""

from __future__ import annotations

import pytest

from tools.web.proxies import BadProxy, find_proxy

PUBLIC = "93.184.216.34"
REACHABLE = {PUBLIC, "2606:2800:220:1::1"}
NAMES = {"out.example": [PUBLIC], "inside.example": ["10.1.2.3"], "both.example": [PUBLIC, "::1"]}


async def resolve(host: str, port: int) -> list[str]:
    if host not in NAMES:
        raise OSError("no such host")
    return NAMES[host]


async def through(url: str, **environ: str) -> str | None:
    """The proxy for `scheme://host:port`."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    is_public = REACHABLE.__contains__
    found = await find_proxy(
        scheme, host, int(port), resolve=resolve, is_public=is_public, environ=environ
    )
    return found.url if found else None


P = "http://proxy.example:3128"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://::1:8000",
        "http://localhost:8000",
        "http://localhost.:8000",
        "http://vllm:8000",
        "http://gpu7.local:8000",
        "http://a.internal:8000",
        "http://10.0.0.7:8000",
        "http://192.168.1.7:8000",
        "http://169.254.1.1:80",
        "http://fd00::1:80",
        "http://inside.example:80",
        "http://both.example:80",
    ],
)
async def test_a_private_host_is_never_asked_for_through_a_proxy(url: str) -> None:
    assert await through(url, http_proxy=P, HTTP_PROXY=P, ALL_PROXY=P) is None


@pytest.mark.parametrize(
    ("url", "environ", "proxied"),
    [
        ("http://out.example:80", {"http_proxy": P}, True),
        ("http://out.example:80", {"HTTP_PROXY": P}, True),
        ("http://out.example:80", {"ALL_PROXY": P}, True),
        ("http://out.example:80", {"https_proxy": P}, False),
        ("https://out.example:443", {"https_proxy": P}, True),
        ("https://out.example:443", {"HTTP_PROXY": P}, False),
        ("https://out.example:443", {"all_proxy": P}, True),
        ("https://unknown.example:443", {"https_proxy": P}, True),
        ("http://out.example:80", {"http_proxy": ""}, False),
        ("http://out.example:80", {}, False),
    ],
)
async def test_the_variables_are_those_of_curl(
    url: str, environ: dict[str, str], proxied: bool
) -> None:
    assert (await through(url, **environ) == P) is proxied


@pytest.mark.parametrize(
    ("excepted", "direct"),
    [
        ("*", True),
        ("out.example", True),
        (".example", True),
        ("*.example", True),
        ("a.test, OUT.example", True),
        ("a.test OUT.example", True),
        ("out.example:8000", True),
        ("out.example:8001", False),
        ("93.184.0.0/16", True),
        ("93.184.216.34", True),
        ("93.184.216.34:8000", True),
        ("93.184.216.34:80", False),
        ("10.0.0.0/8", False),
        ("fd00::/8,[::1]:8000", False),
        ("t.example", False),
        ("ut.example", False),
        ("", False),
        (",, ,", False),
        (".", False),
        ("*.", False),
        ("999.0.0.0/99", False),
    ],
)
async def test_hosts_ports_and_networks_are_excepted(excepted: str, direct: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        found = await through("http://out.example:8000", http_proxy=P, **{name: excepted})
        assert (found is None) is direct


async def test_an_address_of_ipv6_is_excepted_with_its_port() -> None:
    url = "http://2606:2800:220:1::1:8000"
    for excepted in ("2606:2800::/32", "[2606:2800:220:1::1]:8000", "2606:2800:220:1::1"):
        assert await through(url, http_proxy=P, no_proxy=excepted) is None
    assert await through(url, http_proxy=P, no_proxy="[2606:2800:220:1::1]:80") == P


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("proxy:3128", "HTTP_PROXY=proxy:3128 has no scheme: write http://proxy:3128"),
        ("u:secret@proxy:3128", "HTTP_PROXY=proxy:3128 has no scheme: write http://proxy:3128"),
        ("socks5://u:secret@p:1", "HTTP_PROXY=socks5://p:1 is a SOCKS proxy"),
        ("socks5h://p:1", "add out.example to NO_PROXY"),
        ("http://p:99999", "write http://HOST:PORT"),
        ("http://p:0", "write http://HOST:PORT"),
        ("http://[::1", "write http://HOST:PORT"),
        ("http://", "write http://HOST:PORT"),
        ("ftp://p", "write http://HOST:PORT"),
    ],
)
async def test_what_is_no_proxy_is_said_with_the_remedy(value: str, words: str) -> None:
    with pytest.raises(BadProxy) as said:
        await through("http://out.example:80", HTTP_PROXY=value)
    assert words in str(said.value)
    assert "secret" not in str(said.value)
    assert await through("http://localhost:80", HTTP_PROXY=value) is None
