"""The search interface of Tavily."""

from __future__ import annotations

from typing import Any

from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_object
from tools.web.services.request import ServiceRequest


class TavilyProvider(SearchProvider):
    """Asks Tavily with a key."""

    name = "tavily"
    title = "Tavily"
    pace = 0.6  # 100 requests a minute
    url = "https://api.tavily.com/search"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._headers = {"Authorization": f"Bearer {key}"}

    def request(self, search: Search) -> ServiceRequest:
        """Return the body of a search."""
        asked: dict[str, Any] = {"query": search.query, "max_results": search.count}
        if search.since:
            asked["time_range"] = search.since
        if search.site:
            asked["include_domains"] = [search.site]
        return ServiceRequest(self.url, json=asked, headers=self._headers)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results."""
        entries = read_entries(read_object(body, self.title), self.title, "results")
        return [as_result(one, "title", "url", "content", "published_date") for one in entries]
