"""Search services in the shapes of their documentation: what is asked, and what is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tools.base import ToolOutage, ToolResult
from tools.web.search import Search, SearchProvider
from tools.web.search_providers.registry import SEARCH_PROVIDERS, make_provider, why_refused
from tools.web.services.asking import Asking
from tools.web.settings import WebSettings
from tools.web_search import WebSearch, WebSearchParams

KEY = "key-of-the-service-0123456789"
SEARCH = Search("lighthouse lamps", 5, since="week", site="example.org")
"""What is asked of each service."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A service's answer, and how a search for `SEARCH` reaches it."""

    answer: Any
    asked: dict[str, Any]
    """Of the parameters or of the body."""
    key_header: tuple[str, str] | None
    source: str
    date: str


SHAPES = {
    "searxng": Shape(
        {
            "query": "lighthouse lamps",
            "number_of_results": 0,
            "results": [
                {
                    "url": "https://example.org/lamps",
                    "title": "Lamps",
                    "content": "Of glass.",
                    "publishedDate": "2026-11-02T00:00:00",
                    "engine": "mojeek",
                    "engines": ["mojeek"],
                    "score": 1.0,
                    "category": "general",
                }
            ],
            "answers": [],
            "unresponsive_engines": [],
        },
        {"q": "lighthouse lamps site:example.org", "format": "json", "time_range": "week"},
        None,
        "mojeek",
        "2026-11-02T00:00:00",
    ),
    "brave": Shape(
        {
            "type": "search",
            "query": {"original": "lighthouse lamps"},
            "web": {
                "type": "search",
                "results": [
                    {
                        "title": "Lamps",
                        "url": "https://example.org/lamps",
                        "description": "Of glass.",
                        "page_age": "2026-11-02T00:00:00",
                        "age": "November 2, 2026",
                        "profile": {"name": "Example", "long_name": "example.org"},
                    }
                ],
            },
        },
        {"q": "lighthouse lamps site:example.org", "count": "5", "freshness": "pw"},
        ("x-subscription-token", KEY),
        "Example",
        "2026-11-02T00:00:00",
    ),
    "serper": Shape(
        {
            "searchParameters": {"q": "lighthouse lamps"},
            "organic": [
                {
                    "title": "Lamps",
                    "link": "https://example.org/lamps",
                    "snippet": "Of glass.",
                    "date": "Nov 2, 2026",
                    "position": 1,
                }
            ],
        },
        {"q": "lighthouse lamps site:example.org", "num": 5, "tbs": "qdr:w"},
        ("x-api-key", KEY),
        "",
        "Nov 2, 2026",
    ),
    "tavily": Shape(
        {
            "query": "lighthouse lamps",
            "answer": None,
            "results": [
                {
                    "title": "Lamps",
                    "url": "https://example.org/lamps",
                    "content": "Of glass.",
                    "score": 0.9,
                    "published_date": "2026-11-02",
                }
            ],
            "response_time": 1.1,
        },
        {
            "query": "lighthouse lamps",
            "max_results": 5,
            "time_range": "week",
            "include_domains": ["example.org"],
        },
        ("authorization", f"Bearer {KEY}"),
        "",
        "2026-11-02",
    ),
    "exa": Shape(
        {
            "requestId": "a",
            "results": [
                {
                    "id": "https://example.org/lamps",
                    "title": "Lamps",
                    "url": "https://example.org/lamps",
                    "publishedDate": "2026-11-02T00:00:00.000Z",
                    "author": "A. Keeper",
                    "text": "Of glass.",
                }
            ],
        },
        {"query": "lighthouse lamps", "numResults": 5, "includeDomains": ["example.org"]},
        ("x-api-key", KEY),
        "A. Keeper",
        "2026-11-02T00:00:00.000Z",
    ),
}


def provider_at(site: FakeSite, name: str) -> SearchProvider:
    url = f"http://127.0.0.1:{site.port}"
    provider = make_provider(WebSettings(name, searxng_url=url, search_key=KEY))
    if name != "searxng":
        provider.url = f"{url}/search"  # type: ignore[attr-defined]
    return provider


async def search(provider: SearchProvider, **params: Any) -> ToolResult:
    asked = WebSearchParams.model_validate({"query": SEARCH.query, "count": 5, **params})
    return await WebSearch(provider, Asking(None)).run(asked, lambda _: None)


def test_every_service_but_the_one_for_trying_has_a_shape_here() -> None:
    assert set(SHAPES) == set(SEARCH_PROVIDERS) - {"ddgs"}


@pytest.mark.parametrize("name", SHAPES)
async def test_a_service_is_asked_and_read_in_its_shape(name: str) -> None:
    shape = SHAPES[name]
    with fake_site() as site:
        site.pages["/search"] = Answer(json.dumps(shape.answer).encode(), "application/json")
        provider = provider_at(site, name)
        result = await search(provider, since="week", site="https://Example.org/about")
    about = ", ".join(filter(None, (shape.date, shape.source)))
    expected = f"1. Lamps\n   https://example.org/lamps\n   {about}\n   Of glass.\n\n[retrieved 20"
    assert result.text.startswith(expected)
    assert json.loads(result.raw or b"") == shape.answer
    request = provider.request(SEARCH)
    sent = json.loads(site.bodies[0]) if site.bodies[0] else dict(request.params)
    assert shape.asked.items() <= sent.items()
    assert site.requests[0][1].startswith("/search")
    if shape.key_header:
        header, value = shape.key_header
        assert site.headers[0][header] == value


@pytest.mark.parametrize("name", SHAPES)
async def test_a_key_is_in_a_header_alone(name: str) -> None:
    with fake_site() as site:
        provider = provider_at(site, name)
        request = provider.request(SEARCH)
        assert KEY not in repr(request)
        assert KEY not in repr((request.url, request.params, request.json))
        site.pages["/search"] = Answer(KEY.encode(), status=401)
        with pytest.raises(ToolOutage) as refused:
            await search(provider)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please pay.</html>",
        b"[]",
        b"{}",
        b'{"results": 5, "organic": {}, "web": []}',
        b'{"results": ["x"], "organic": [1], "web": {"results": [null]}}',
        '{"results": [{"title": "\u00fc"}]}'.encode("latin-1"),
        b"[" * 100_000,
    ],
)
async def test_an_answer_in_another_form_is_an_outage(name: str, body: bytes) -> None:
    with fake_site() as site:
        site.pages["/search"] = Answer(body, "application/json")
        with pytest.raises(ToolOutage, match="did not answer in its JSON form"):
            await search(provider_at(site, name))


@pytest.mark.parametrize("name", SHAPES)
async def test_odd_values_and_escape_sequences_are_shown_as_text(name: str) -> None:
    odd = {"title": ["\x1b[2Jx", 5], "url": {"a": 1}, "link": None, "age": 3, "profile": "x"}
    answer = {"results": [odd], "organic": [odd], "web": {"results": [odd]}}
    with fake_site() as site:
        site.pages["/search"] = Answer(json.dumps(answer).encode(), "application/json")
        result = await search(provider_at(site, name))
    assert result.text.startswith("1. \\x1b[2Jx, 5")


async def test_a_site_that_is_no_host_is_the_models_mistake() -> None:
    with fake_site() as site, pytest.raises(Exception, match="is not a host"):
        await search(provider_at(site, "searxng"), site="two words")
    assert not site.requests


async def test_a_batch_does_not_ask_what_is_for_trying_only() -> None:
    settings = WebSettings("ddgs", is_batch=True)
    tool = WebSearch(make_provider(settings), Asking(None), why_refused(settings))
    with pytest.raises(ToolOutage, match="no batch asks it: set search_provider to another"):
        await tool.run(WebSearchParams(query="x"), lambda _: None)
    assert not why_refused(WebSettings("ddgs"))
    assert not why_refused(WebSettings("searxng", is_batch=True))
