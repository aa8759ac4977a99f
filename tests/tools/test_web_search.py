"""Searches: results numbered, raw answers kept, failures told with their cause."""

from __future__ import annotations

import json
import time
from typing import Any, NoReturn

import orjson
import pytest

from tests.fakes.fake_site import Answer, fake_site
from tools.base import ToolError, ToolResult
from tools.web.search import Search, SearchProvider
from tools.web.search_providers.ddgs import DdgsProvider
from tools.web.search_providers.registry import make_provider
from tools.web.search_providers.searxng import SearxngProvider
from tools.web.services.asking import Asking
from tools.web.services.request import ServiceError
from tools.web.settings import WebSettings
from tools.web_search import WebSearch, WebSearchParams

FOUND: list[dict[str, Any]] = [
    {"title": "Lighthouses", "href": "https://a.test/", "body": "Towers\n that  shine."},
    {"title": "Keepers\x1b[31m", "href": "https://b.test/", "body": "x" * 2000},
    {"title": "Empty", "href": "https://c.test/", "body": None},
]


async def search(provider: SearchProvider, query: str = "lighthouse", **params: Any) -> ToolResult:
    return await WebSearch(provider, Asking(None)).run(
        WebSearchParams(query=query, **params), lambda _: None
    )


async def test_results_are_numbered_and_kept_as_they_came() -> None:
    result = await search(DdgsProvider(lambda search: FOUND))
    assert result.text.splitlines()[:3] == [
        "1. Lighthouses",
        "   https://a.test/",
        "   Towers that shine.",
    ]
    assert "2. Keepers\\x1b[31m\n   https://b.test/\n   xxx" in result.text
    assert "3. Empty\n   https://c.test/\n\n[retrieved 20" in result.text
    assert len(result.text) < 1000
    assert orjson.loads(result.raw or b"") == FOUND
    assert result.details["urls"] == ["https://a.test/", "https://b.test/", "https://c.test/"]


async def test_no_more_results_than_asked_for() -> None:
    result = await search(DdgsProvider(lambda search: FOUND), count=1)
    assert "Keepers" not in result.text


async def test_no_results() -> None:
    result = await search(DdgsProvider(lambda search: []))
    assert result.text.startswith("Nothing was found. Try other words.\n\n[retrieved ")


async def test_a_search_that_fails_or_hangs_is_an_observation() -> None:
    def fail(search: Search) -> NoReturn:
        raise ServiceError("All engines refuse.")

    def hang(search: Search) -> list[dict[str, Any]]:
        time.sleep(0.5)
        return []

    with pytest.raises(ToolError, match=r"The search failed\. All engines refuse\."):
        await search(DdgsProvider(fail))
    with pytest.raises(ToolError, match="No search engine answered in 0 s"):
        await search(DdgsProvider(hang, timeout=0.05))


async def test_searxng() -> None:
    found = [{"title": "T", "url": "https://a.test/", "content": "C", "engine": "e"}] * 3
    with fake_site() as site:
        site.pages["/sx/search"] = Answer(
            json.dumps({"results": found}).encode(), "application/json"
        )
        provider = SearxngProvider(f"http://127.0.0.1:{site.port}/sx/")
        result = await search(provider, "two words", count=2)
        entries = [f"{number}. T\n   https://a.test/\n   e\n   C" for number in (1, 2)]
        assert result.text.startswith("\n\n".join(entries) + "\n\n[retrieved ")
        assert json.loads(result.raw or b"") == {"results": found}
        assert site.requests[0][1] == "/sx/search?q=two+words&format=json"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(b"no", status=403), "`search.formats`"),
        (Answer(b"no", status=500), "HTTP 500"),
        (Answer(b"<html>"), "not answer in its JSON form"),
        (Answer(b'{"results": "x"}'), "not answer in its JSON form"),
        (Answer(b"[]"), "not answer in its JSON form"),
    ],
)
async def test_searxng_that_does_not_answer_as_it_should(answer: Answer, said: str) -> None:
    with fake_site() as site:
        site.pages["/search"] = answer
        with pytest.raises(ToolError, match=said):
            await search(SearxngProvider(f"http://127.0.0.1:{site.port}"))


async def test_searxng_that_is_not_there() -> None:
    with pytest.raises(ToolError, match="cannot be reached"):
        await search(SearxngProvider("http://127.0.0.1:1"))


def test_the_settings_choose_the_provider() -> None:
    assert make_provider(WebSettings()).name == "ddgs"
    assert make_provider(WebSettings("searxng", "http://127.0.0.1:8080")).name == "searxng"
    with pytest.raises(ValueError, match="needs the URL"):
        make_provider(WebSettings("searxng"))
