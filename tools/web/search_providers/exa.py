"""The search interface of Exa."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_object
from tools.web.services.request import ServiceRequest

_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}


class ExaProvider(SearchProvider):
    """Asks Exa with a key."""

    name = "exa"
    title = "Exa"
    pace = 0.2  # 5 requests a second
    url = "https://api.exa.ai/search"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._headers = {"x-api-key": key}

    def request(self, search: Search) -> ServiceRequest:
        """Return the body of a search."""
        asked: dict[str, Any] = {
            "query": search.query,
            "numResults": search.count,
            "contents": {"text": {"maxCharacters": 500}},
        }
        if search.since:
            first = datetime.now(UTC).date() - timedelta(days=_DAYS[search.since])
            asked["startPublishedDate"] = f"{first}T00:00:00.000Z"
        if search.site:
            asked["includeDomains"] = [search.site]
        return ServiceRequest(self.url, json=asked, headers=self._headers)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results."""
        entries = read_entries(read_object(body, self.title), self.title, "results")
        return [
            as_result(one, "title", "url", "text", "publishedDate", "author") for one in entries
        ]
