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
    """A search failed; the message is one sentence with what is known of the cause."""


class SearchProvider(Protocol):
    """A search service."""

    name: str

    async def search(self, query: str, count: int) -> SearchAnswer:
        """Return up to `count` results, best first. Raises `SearchError`."""
        ...


def _ddgs_text(query: str, count: int) -> list[dict[str, Any]]:
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    try:
        return list(DDGS(timeout=int(TIMEOUT / 2)).text(query, max_results=count))
    except DDGSException as error:
        if str(error) == "No results found.":
            return []
        raise SearchError(f"No search engine answered: {str(error)[:300]}") from None


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
            raise SearchError(f"SearXNG at {self._url} answered HTTP {response.status_code}.")
        try:
            found = orjson.loads(response.content)["results"][:count]
            results = _results(found, ("title", "url", "content"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SearchError(f"SearXNG at {self._url} did not answer in its JSON form.") from None
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
