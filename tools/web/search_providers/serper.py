"""Google's results through Serper."""

from __future__ import annotations

from typing import Any

from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_object
from tools.web.services.request import ServiceRequest


class SerperProvider(SearchProvider):
    """Asks Serper with a key."""

    name = "serper"
    title = "Serper"
    pace = 0.1
    url = "https://google.serper.dev/search"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._headers = {"X-API-KEY": key}

    def request(self, search: Search) -> ServiceRequest:
        """Return the body of a search."""
        asked: dict[str, Any] = {"q": search.words, "num": search.count}
        if search.since:
            asked["tbs"] = f"qdr:{search.since[0]}"
        return ServiceRequest(self.url, json=asked, headers=self._headers)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results."""
        entries = read_entries(read_object(body, self.title), self.title, "organic")
        return [as_result(one, "title", "link", "snippet", "date", "source") for one in entries]
