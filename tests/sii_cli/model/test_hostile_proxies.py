"""Where requests to a model server and its key go: to the host that was named, past no proxy."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.types import RequestFailed
from tests.fakes.forward_proxy import forward_proxy
from tests.fakes.script import Turn
from tests.fakes.scripted_server import ScriptedServer
from tests.sii_cli.model.calling import client, completion_of, parts_of
from tools.web.tls import NoCertificates, trusted

pytestmark = pytest.mark.hostile

ANSWER = Turn(content="Yes.")
PUBLIC = "http://93.184.216.34:8000"
VARIABLES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def nobody() -> int:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("variable", VARIABLES)
async def test_a_server_on_this_machine_is_asked_past_every_proxy(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer([ANSWER, ANSWER], api_key="secret") as server:
        async with forward_proxy(server.port) as proxy:
            monkeypatch.setenv(variable, proxy.url)
            for host in ("127.0.0.1", "localhost"):
                url = f"http://{host}:{server.port}"
                async with client(url, api_key="secret") as model:
                    await model.describe()
                    assert completion_of(await parts_of(model)).content == "Yes."
        assert proxy.heads == []


@pytest.mark.parametrize("variable", VARIABLES)
async def test_a_public_server_is_asked_through_the_proxy(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        ScriptedServer([ANSWER], api_key="secret") as server,
        forward_proxy(server.port) as proxy,
    ):
        monkeypatch.setenv(variable, proxy.url.replace("//", "//user:pass@"))
        async with client(PUBLIC, api_key="secret") as model:
            assert completion_of(await parts_of(model)).content == "Yes."
    assert proxy.heads[0].startswith(f"POST {PUBLIC}/v1/chat/completions HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in proxy.heads[0]


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("http://u:secret@127.0.0.1:{port}", "connect", "HTTP_PROXY=http://127.0.0.1:{port} does"),
        ("127.0.0.1:{port}", "bad_url", "has no scheme: write http://127.0.0.1:{port}"),
        ("socks5://127.0.0.1:{port}", "bad_url", "SOCKS"),
        ("http://127.0.0.1:99999", "bad_url", "write http://HOST:PORT"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named(
    value: str, kind: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(nobody())
    monkeypatch.setenv("HTTP_PROXY", value.replace("{port}", port))
    async with client(PUBLIC, retries=0) as model:
        last = (await parts_of(model))[-1]
        with pytest.raises(ModelCallFailed) as said:
            await model.describe()
    assert isinstance(last, RequestFailed)
    assert last.failure.kind == kind
    for message in (str(last.failure), str(said.value)):
        assert words.replace("{port}", port) in message
        assert "secret" not in message


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
async def test_a_proxy_that_refuses_a_tunnel_is_named(
    status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forward_proxy(1, refuses=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:pass@"))
        async with client(PUBLIC.replace("http:", "https:"), api_key="secret", retries=0) as model:
            last = (await parts_of(model))[-1]
    assert isinstance(last, RequestFailed)
    assert f"The proxy HTTPS_PROXY={proxy.url} refuses the connection" in str(last.failure)
    assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in proxy.heads[0]
    assert "secret" not in "".join(proxy.heads)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SSL_CERT_FILE", "{folder}/missing.pem", "which does not exist"),
        ("SSL_CERT_FILE", "{folder}/empty.pem", "which cannot be read"),
        ("SSL_CERT_FILE", "{folder}", "which does not exist"),
        ("SSL_CERT_DIR", "{folder}/missing", "which does not exist"),
    ],
)
async def test_certificates_that_are_missing_are_named(
    variable: str, value: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("")
    path = value.replace("{folder}", str(tmp_path))
    monkeypatch.setenv(variable, path)
    with pytest.raises(NoCertificates):
        trusted()
    async with client(f"https://127.0.0.1:{nobody()}", retries=3) as model:
        [*_, last] = parts = await parts_of(model)
    assert isinstance(last, RequestFailed)
    assert f"{variable} names {path}, {words}" in str(last.failure)
    assert len(parts) == 2  # not tried again


@pytest.mark.parametrize("key", ["secret\n", "a\r\nX-Evil: 1", "\0", "s\u2028"])
async def test_a_key_that_cannot_be_sent_is_a_sentence(key: str) -> None:
    async with ScriptedServer([ANSWER]) as server:
        async with client(server.base_url, api_key=key) as model:
            last = (await parts_of(model))[-1]
            with pytest.raises(ModelCallFailed, match="SII_API_KEY"):
                await model.describe()
        assert server.requests == []
    assert isinstance(last, RequestFailed)
    assert "SII_API_KEY has a line's end" in str(last.failure)
    assert "secret" not in str(last.failure)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:8000",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1:x",
        "http://xn--:8000",
        "http://:8000",
        "http://[::1",
        "ftp://127.0.0.1",
        "http://a b:8000",
        "http://\0:8000",
        "",
    ],
)
async def test_what_is_no_address_of_a_model_server_is_a_sentence(url: str) -> None:
    async with client(url, api_key="key", retries=0) as model:
        last = (await parts_of(model))[-1]
        with pytest.raises(ModelCallFailed, match="SII_BASE_URL"):
            await model.describe()
    assert isinstance(last, RequestFailed)
    assert last.failure.kind in ("bad_url", "dns")
    assert "secret" not in str(last.failure)


async def test_a_model_server_in_the_clear_needs_no_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
    async with ScriptedServer([ANSWER]) as server, client(server.base_url) as model:
        assert completion_of(await parts_of(model)).content == "Yes."
