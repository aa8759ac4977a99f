"""Search services behind one protocol: what to ask, and results in one form."""

from __future__ import annotations

import asyncio
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from sandbox.host_programs import python_command
from tools.web.inflate import ACCEPTED, UnknownCoding, read_body
from tools.web.proxies import BadProxy, find_proxy
from tools.web.settings import WebSettings
from tools.web.tls import NoCertificates, trusted

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
MAX_ANSWER = 4 << 20
"""Bytes of one."""
_AN_ENGINE = "duckduckgo.com"
"""The engines are all public: a proxy is used for all or none of them."""
TIMEOUT = 20.0
"""Seconds for one search."""
_DDGS = Path(__file__).with_name("ddgs_search.py")
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
    """Ask in a process with limits: the library reads what an engine sends to its end."""
    try:
        proxy = asyncio.run(find_proxy("https", _AN_ENGINE, 443))
    except BadProxy as error:
        raise SearchError(str(error)) from None
    asked = {"query": query, "count": count, "timeout": int(TIMEOUT / 2)}
    asked["proxy"] = proxy.url if proxy else None
    try:
        done = subprocess.run(
            python_command(str(_DDGS)),
            input=orjson.dumps(asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=True,
        )
        answer = orjson.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SearchError(f"No search engine answered in {TIMEOUT:.0f} s.") from None
    except (OSError, subprocess.CalledProcessError, ValueError):
        raise SearchError("The program that asks search engines broke off.") from None
    if "failed" in answer:
        raise SearchError(answer["failed"])
    found: list[dict[str, Any]] = answer["found"]
    return found


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
            async with asyncio.timeout(self._timeout):
                response = await _get(self._url, {"q": query, "format": "json"}, self._timeout)
        except (BadProxy, NoCertificates) as error:
            raise SearchError(str(error)) from None
        except TimeoutError:
            message = f"SearXNG at {self._url} did not answer in {self._timeout:.0f} s."
            raise SearchError(message) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnknownCoding, zlib.error, ValueError) as error:
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


async def _get(url: str, params: dict[str, str], timeout: float) -> httpx.Response:
    """GET from an operator's own server: bounded, and redirected within that server alone.

    Raises `httpx.HTTPError`, `httpx.InvalidURL`, `BadProxy`, `NoCertificates`, `UnknownCoding`,
    `zlib.error`, `ValueError` for a redirect elsewhere and for too much.
    """
    import httpx

    first = httpx.URL(url, params=params)
    proxy = await find_proxy(first.scheme, first.host, first.port or _PORTS.get(first.scheme, 0))
    async with httpx.AsyncClient(
        timeout=timeout,
        trust_env=False,
        verify=trusted(),
        proxy=proxy.url if proxy else None,
        headers={"Accept-Encoding": ACCEPTED},
    ) as client:
        target = first
        for _ in range(MAX_REDIRECTS + 1):
            async with client.stream("GET", target) as response:
                if not response.has_redirect_location:
                    coding = response.headers.pop("content-encoding", "")
                    body = await read_body(response.aiter_raw(), coding, MAX_ANSWER)
                    if len(body) > MAX_ANSWER:
                        raise ValueError(f"an answer of more than {MAX_ANSWER:,} bytes")
                    return httpx.Response(response.status_code, content=body)
                target = target.join(response.headers["location"])
            if (target.scheme, target.netloc) != (first.scheme, first.netloc):
                raise ValueError(f"it redirects to another server ({target.host:.80})")
    raise ValueError(f"it redirects more than {MAX_REDIRECTS} times")


def _results(found: list[dict[str, Any]], keys: tuple[str, str, str]) -> tuple[SearchResult, ...]:
    return tuple(SearchResult(*(str(one.get(key) or "") for key in keys)) for one in found)


def make_provider(settings: WebSettings) -> SearchProvider:
    """Return the search service of the settings."""
    if settings.search_provider == "searxng":
        if not settings.searxng_url:
            raise ValueError("The search provider searxng needs the URL of an instance.")
        return SearxngProvider(settings.searxng_url)
    return DdgsProvider()
