"""What fails for a reason of the installation is an outage; what fails for another is not."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.conversation import outages
from sandbox.network.machine import is_of_this_machine
from sandbox.protocol import CommandResult
from tests.fakes.document_sandbox import WITHOUT_SANDBOX
from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.fake_site import Answer, fake_site
from tests.fakes.forward_proxy import forward_proxy
from tools import base
from tools.base import ToolError, ToolOutage
from tools.command_text import command_result
from tools.registry import TOOL_NAMES
from tools.toolbox import Toolbox
from tools.web.fetch import Fetcher
from tools.web.search import Search, SearchProvider
from tools.web.search_providers import ddgs_search
from tools.web.search_providers.ddgs import DdgsProvider
from tools.web.search_providers.searxng import SearxngProvider
from tools.web.services.asking import Asking
from tools.web.services.request import ServiceError
from tools.web.settings import WebSettings
from tools.web_fetch import WebFetch, WebFetchParams
from tools.web_search import WebSearch, WebSearchParams


async def look_for(provider: SearchProvider) -> str:
    params = WebSearchParams(query="lighthouse")
    result = await WebSearch(provider, Asking(None)).run(params, lambda _: None)
    return result.text.partition("\n\n[retrieved")[0]


async def fetch(url: str, **options: Any) -> str:
    tool = WebFetch(Fetcher(**{"allowed": lambda _: True, **options}), WITHOUT_SANDBOX)
    return (await tool.run(WebFetchParams(url=url), lambda _: None)).text


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def knows_no_name(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


async def knows_other_names(host: str, port: int) -> list[str]:
    if host == "example.com":
        return ["93.184.216.34"]
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def test_tools_and_recordings_have_one_name_for_it() -> None:
    assert base.TOOL_INFRA == outages.TOOL_INFRA == ToolOutage("x").kind


# The search service


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 502, 503])
async def test_a_search_service_that_refuses_is_an_outage(status: int) -> None:
    with fake_site() as site:
        site.pages["/search"] = Answer(b"no", status=status)
        with pytest.raises(ToolOutage, match="not the fault of the query"):
            await look_for(SearxngProvider(f"http://127.0.0.1:{site.port}"))


@pytest.mark.parametrize("status", [400, 413, 414, 422])
async def test_a_query_that_the_service_refuses_is_the_models(status: int) -> None:
    with fake_site() as site:
        site.pages["/search"] = Answer(b"no", status=status)
        with pytest.raises(ToolError) as refused:
            await look_for(SearxngProvider(f"http://127.0.0.1:{site.port}"))
    assert refused.value.kind == "search_failed"


async def test_a_search_service_that_is_not_there_or_is_silent_is_an_outage() -> None:
    with pytest.raises(ToolOutage, match="cannot be reached"):
        await look_for(SearxngProvider("http://127.0.0.1:1"))
    with fake_site() as site:
        site.pages["/search"] = Answer(b"{}", silence=1)
        with pytest.raises(ToolOutage, match="did not answer"):
            await look_for(SearxngProvider(f"http://127.0.0.1:{site.port}", timeout=0.1))


@pytest.mark.parametrize(("silent", "is_outage"), [([["google", "CAPTCHA"]], True), ([], False)])
async def test_nothing_found_by_engines_that_were_silent_is_an_outage(
    silent: list[list[str]], is_outage: bool
) -> None:
    with fake_site() as site:
        answer = {"results": [], "unresponsive_engines": silent}
        site.pages["/search"] = Answer(json.dumps(answer).encode(), "application/json")
        provider = SearxngProvider(f"http://127.0.0.1:{site.port}")
        if is_outage:
            with pytest.raises(ToolOutage, match="google"):
                await look_for(provider)
        else:
            assert await look_for(provider) == "Nothing was found. Try other words."


class Engine:
    """An engine of the library's: answers with a page, a refusal or an error."""

    name = "brave"
    priority = 1

    def __init__(self, **_: Any) -> None:
        self.provider = self.name

    def request(self, *_: Any) -> str | None:
        return "<html></html>"

    def search(self, query: str, **_: Any) -> list[Any] | None:
        return [] if self.request("GET", "https://e.test") else None


class Refuses(Engine):
    """A rate limit: the library takes its answer for none."""

    name = "mojeek"

    def request(self, *_: Any) -> str | None:
        return None


class Fails(Engine):
    """No network."""

    name = "startpage"

    def request(self, *_: Any) -> str | None:
        raise OSError("no route")


class Encyclopedia(Engine):
    """It has no article of that name."""

    name = "wikipedia"


def in_this_process(search: Search) -> list[dict[str, Any]]:
    """What the program does that asks engines; its engines can be replaced here."""
    try:
        return ddgs_search.find(search.query, search.count, timeout=10)
    except ddgs_search.NoEngine as error:
        raise ServiceError(str(error)) from None


@pytest.mark.parametrize(
    ("engines", "is_outage"),
    [
        ((Engine,), False),
        ((Engine, Refuses, Fails), False),
        ((Refuses,), True),
        ((Fails, Refuses), True),
        ((Encyclopedia, Refuses, Fails), True),
    ],
)
async def test_no_search_engine_that_answers_is_not_a_search_that_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, engines: tuple[type[Engine], ...], is_outage: bool
) -> None:
    monkeypatch.setattr("ddgs.ddgs.ENGINES", {"text": {one.name: one for one in engines}})
    if is_outage:
        with pytest.raises(ToolOutage, match="No search engine answered"):
            await look_for(DdgsProvider(in_this_process))
    else:
        assert (
            await look_for(DdgsProvider(in_this_process)) == "Nothing was found. Try other words."
        )


# Pages


async def test_a_machine_that_resolves_no_name_has_an_outage() -> None:
    with pytest.raises(ToolOutage, match="no working network"):
        await fetch("http://s.test/", resolve=knows_no_name)


async def test_a_name_that_is_not_resolved_where_others_are_is_the_models() -> None:
    with pytest.raises(ToolError) as refused:
        await fetch("http://s.test/", resolve=knows_other_names)
    assert refused.value.kind == "unknown_host"


async def test_a_name_server_that_hangs_is_an_outage() -> None:
    async def hangs(host: str, port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    with pytest.raises(ToolOutage, match="no working network"):
        await fetch("http://s.test/", resolve=hangs, timeout=0.3)


@pytest.mark.parametrize(
    ("url", "timeout", "kind"),
    [("http://s.test:1/", 10.0, "fetch_failed"), ("http://s.test:{port}/slow", 1.0, "timeout")],
)
async def test_a_site_that_is_down_is_the_sites(url: str, timeout: float, kind: str) -> None:
    with fake_site() as site:
        site.pages["/slow"] = Answer(b"late", silence=3)
        with pytest.raises(ToolError) as refused:
            await fetch(url.format(port=site.port), resolve=to_loopback, timeout=timeout)
    assert refused.value.kind == kind


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_what_a_page_answers_is_the_pages(status: int) -> None:
    with fake_site() as site:
        site.pages["/"] = Answer(b"no", "text/plain", status=status)
        tool = WebFetch(Fetcher(resolve=to_loopback, allowed=lambda _: True), WITHOUT_SANDBOX)
        url = f"http://s.test:{site.port}/"
        result = await tool.run(WebFetchParams(url=url), lambda _: None)
    assert result.error == "http_error"


@pytest.mark.parametrize(
    ("number", "is_ours"),
    [
        (errno.ENETUNREACH, True),
        (errno.EMFILE, True),
        (errno.ECONNREFUSED, False),
        (errno.EHOSTUNREACH, False),
        (errno.ETIMEDOUT, False),
        (errno.ECONNRESET, False),
    ],
)
def test_what_no_site_can_cause_is_of_this_machine(number: int, is_ours: bool) -> None:
    for cause in (
        OSError(number, "why"),
        ExceptionGroup("all", [OSError(errno.ECONNREFUSED, "x"), OSError(number, "y")]),
    ):
        error = httpx.ConnectError("All connection attempts failed")
        error.__cause__ = cause
        error.__context__ = error
        assert is_of_this_machine(error) is is_ours


async def test_a_machine_without_a_route_has_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(*_: Any) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    async def public(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", no_route)
    with pytest.raises(ToolOutage, match="no working network"):
        await fetch("http://s.test/", resolve=public)


@pytest.mark.parametrize(
    ("refuses", "is_outage"),
    [("403 Forbidden", True), ("407 Who are you", True), ("502 Bad Gateway", False)],
)
async def test_a_proxy_that_refuses_is_an_outage_and_one_that_finds_no_host_is_not(
    monkeypatch: pytest.MonkeyPatch, refuses: str, is_outage: bool
) -> None:
    async with forward_proxy(1, refuses=refuses) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ToolError, match="gives no tunnel") as refused:
            await fetch("http://s.test/", resolve=to_loopback)
    assert isinstance(refused.value, ToolOutage) is is_outage


async def test_a_proxy_that_is_dead_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(ToolOutage, match="does not answer"):
        await fetch("http://s.test/", resolve=to_loopback)


HTML = Answer(b"<p>Hello.</p>")


@pytest.mark.parametrize(
    "program", ["import no_such_library_of_ours", "import sys; sys.exit(1)", "syntax error"]
)
async def test_a_converter_that_is_broken_is_an_outage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    broken = tmp_path / "converter.py"
    broken.write_text(program)
    monkeypatch.setattr("tools.web.page._CONVERTER", broken)
    with fake_site() as site:
        site.pages["/"] = HTML
        with pytest.raises(ToolOutage, match="broken here"):
            await fetch(f"http://s.test:{site.port}/", resolve=to_loopback)


async def test_a_converter_that_cannot_be_started_is_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with fake_site() as site:
        site.pages["/"] = HTML
        with pytest.raises(ToolOutage, match="broken here"):
            await fetch(f"http://s.test:{site.port}/", resolve=to_loopback)


@pytest.mark.parametrize(
    "program", ["import sys; sys.exit(65)", "import os; os.kill(os.getpid(), 11)"]
)
async def test_a_page_that_is_too_much_for_the_converter_is_the_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    gives_up = tmp_path / "converter.py"
    gives_up.write_text(program)
    monkeypatch.setattr("tools.web.page._CONVERTER", gives_up)
    with fake_site() as site:
        site.pages["/"] = HTML
        text = await fetch(f"http://s.test:{site.port}/", resolve=to_loopback)
    assert "could not be converted: its HTML" in text


# A sandbox's network


@pytest.mark.parametrize(
    ("is_outage", "timed_out", "error"),
    [
        (False, False, None),
        (True, False, "tool_infra"),
        (False, True, "timeout"),
        (True, True, "tool_infra"),
    ],
)
def test_a_command_that_met_no_network_hit_an_outage(
    is_outage: bool, timed_out: bool, error: str | None
) -> None:
    result = CommandResult(b"", 6, 1.0, outage=is_outage, timed_out=timed_out)
    assert command_result(result, "shell").error == error


# Whatever a model says

ANY_TEXT = st.text(st.characters(), max_size=60)  # lone surrogates included
ANY_VALUE = st.none() | st.booleans() | st.integers() | ANY_TEXT | st.lists(ANY_TEXT, max_size=2)
NAMES = st.sampled_from(
    ("path", "content", "query", "count", "url", "offset", "limit", "edits", "todos", "action")
)
TOOLS = [name for name in TOOL_NAMES if name not in ("bash", "python")]


async def test_lone_surrogates_in_a_call_are_refused_in_words(tmp_path: Path) -> None:
    toolbox = Toolbox(["jobs"], FakeSandbox(tmp_path).provide, WebSettings())
    for code in (0xD800, 0xDC80, 0xDFFF):
        result = await toolbox.call("jobs", f'{{"id": "{chr(code)}"}}', lambda _: None)
        assert result.error == "bad_json"
        result.text.encode()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(TOOLS), st.dictionaries(NAMES, ANY_VALUE, max_size=4) | ANY_TEXT)
def test_nothing_that_a_model_says_makes_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: dict[str, Any] | str
) -> None:
    monkeypatch.setattr("tools.registry.make_provider", lambda _: DdgsProvider(lambda *_: []))
    monkeypatch.setattr("tools.registry.Fetcher", lambda: Fetcher(resolve=knows_other_names))
    arguments = said if isinstance(said, str) else json.dumps(said)

    async def call() -> str | None:
        sandbox = FakeSandbox(tmp_path)
        toolbox = Toolbox(TOOL_NAMES, sandbox.provide, WebSettings())
        try:
            return (await toolbox.call(name, arguments, lambda _: None)).error
        finally:
            await sandbox.close()

    assert asyncio.run(call()) != base.TOOL_INFRA
