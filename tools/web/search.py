"""Search services behind one protocol: what to ask, and results in one form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from tools.web.settings import WebSettings

TIMEOUT = 20.0
"""Seconds for one search."""
_ENCYCLOPEDIAS = frozenset({"wikipedia", "grokipedia"})
"""Engines of `ddgs` that find no more than their own articles."""
_OF_THE_QUERY = (400, 413, 414, 422)
"""HTTP statuses with which a service refuses a query."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit."""

    title: str
    url: str
    snippet: str


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a search service answered."""

    results: tuple[SearchResult, ...]
    raw: bytes
    """The answer as it came."""


class SearchError(Exception):
    """Raised when the service cannot be used; the message is one sentence with the cause."""


class BadQuery(SearchError):
    """Raised when the service refuses this query, and works."""


class SearchProvider(Protocol):
    """A search service."""

    name: str

    async def search(self, query: str, count: int) -> SearchAnswer:
        """Return up to `count` results, best first. Raises `SearchError`, `BadQuery`."""
        ...


def _ddgs_text(query: str, count: int) -> list[dict[str, Any]]:
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    ddgs = DDGS(timeout=int(TIMEOUT / 2))
    answered = _watch_engines(ddgs)
    try:
        return list(ddgs.text(query, max_results=count))
    except DDGSException as error:
        if answered - _ENCYCLOPEDIAS:
            return []
        raise SearchError(f"No search engine answered: {str(error)[:300]}") from None


def _watch_engines(ddgs: Any) -> set[str]:
    """Return a set that is filled with the names of the engines that answer.

    The library takes an engine that refuses (a rate limit, a check for robots) for one that found
    nothing.
    """
    answered: set[str] = set()
    get_engines = ddgs._get_engines

    def watched(engine: Any) -> Any:
        request = engine.request

        def answer(*args: Any, **options: Any) -> Any:
            text = request(*args, **options)
            if text:
                answered.add(engine.name)
            return text

        engine.request = answer
        return engine

    ddgs._get_engines = lambda *args: [watched(engine) for engine in get_engines(*args)]
    return answered


class DdgsProvider:
    """Free search engines through the `ddgs` library; needs no key."""

    name = "ddgs"

    def __init__(
        self,
        text: Callable[[str, int], list[dict[str, Any]]] = _ddgs_text,
        timeout: float = TIMEOUT,
    ) -> None:
        self._text = text
        self._timeout = timeout

    async def search(self, query: str, count: int) -> SearchAnswer:
        """Search in a thread, since the library blocks."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await asyncio.to_thread(self._text, query, count)
        except TimeoutError:
            raise SearchError(f"No search engine answered in {self._timeout:.0f} s.") from None
        results = _results(found[:count], ("title", "href", "body"))
        return SearchAnswer(results, orjson.dumps(found, default=str))


class SearxngProvider:
    """A SearXNG instance, through its JSON interface."""

    name = "searxng"

    def __init__(self, base_url: str, timeout: float = TIMEOUT) -> None:
        self._url = f"{base_url.rstrip('/')}/search"
        self._timeout = timeout

    async def search(self, query: str, count: int) -> SearchAnswer:
        """Ask the instance. An operator's own server may be anywhere, also on this machine."""
        import httpx

        try:
            async with httpx.AsyncClient(timeout=self._timeout, follow_redirects=True) as client:
                response = await client.get(self._url, params={"q": query, "format": "json"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            cause = str(error) or type(error).__name__
            raise SearchError(f"SearXNG at {self._url} cannot be reached: {cause}.") from None
        if response.status_code == 403:
            raise SearchError(
                f"SearXNG at {self._url} refuses JSON: its operator has to add `json` to "
                "`search.formats` in settings.yml."
            )
        if response.status_code != 200:
            kind = BadQuery if response.status_code in _OF_THE_QUERY else SearchError
            raise kind(f"SearXNG at {self._url} answered HTTP {response.status_code}.")
        try:
            answer = orjson.loads(response.content)
            results = _results(answer["results"][:count], ("title", "url", "content"))
            silent = [str(name) for name, *_ in answer.get("unresponsive_engines") or ()]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SearchError(f"SearXNG at {self._url} did not answer in its JSON form.") from None
        if silent and not results:
            raise SearchError(
                f"SearXNG at {self._url} found nothing, and some of its engines did not answer: "
                f"{', '.join(silent)[:300]}."
            )
        return SearchAnswer(results, response.content)


def _results(found: list[dict[str, Any]], keys: tuple[str, str, str]) -> tuple[SearchResult, ...]:
    return tuple(SearchResult(*(str(one.get(key) or "") for key in keys)) for one in found)


def make_provider(settings: WebSettings) -> SearchProvider:
    """Return the search service of the settings."""
    if settings.search_provider == "searxng":
        if not settings.searxng_url:
            raise ValueError("The search provider searxng needs the URL of an instance.")
        return SearxngProvider(settings.searxng_url)
    return DdgsProvider()
