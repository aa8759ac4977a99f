"""What every search service does: a search in, results in one form out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.web.services.json_answers import text_of
from tools.web.services.request import TIMEOUT, ServiceRequest, send

Since = Literal["day", "week", "month", "year"]
"""How old a page may be."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for."""

    query: str
    count: int
    """Most results."""
    since: Since | None = None
    site: str | None = None
    """The host that pages must be of."""

    @property
    def words(self) -> str:
        """The query with the site in it, for services that know it as an operator."""
        return f"{self.query} site:{self.site}" if self.site else self.query


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit."""

    title: str
    url: str
    snippet: str
    date: str = ""
    """When the page was published, in the service's words."""
    source: str = ""
    """Who published the page, or the engine that found it."""


class SearchProvider(ABC):
    """A search service (a `tools.web.services.request.Service`)."""

    name: str
    title: str
    pace: float = 0.0
    refusals: Mapping[int, str] = {}

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout

    @abstractmethod
    def request(self, search: Search) -> ServiceRequest:
        """Return the question as the service wants it."""

    @abstractmethod
    def read(self, body: bytes) -> list[SearchResult]:
        """Read an answer's results, best first. Raises `ServiceError`."""

    async def fetch(self, search: Search) -> bytes:
        """Ask the service. Raises `ServiceError`, `BadQuery`."""
        return await send(self, self.request(search), self.timeout)


def as_result(
    entry: Mapping[str, Any], title: str, url: str, snippet: str, date: str = "", source: str = ""
) -> SearchResult:
    """Return an entry of a service under the names that it uses; what is missing is empty."""
    names = (title, url, snippet, date, source)
    return SearchResult(*(text_of(entry.get(name)) for name in names))
