"""A SearXNG instance, through its JSON interface."""

from __future__ import annotations

from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_object
from tools.web.services.request import TIMEOUT, ServiceError, ServiceRequest


class SearxngProvider(SearchProvider):
    """Asks an instance; it may be on this machine or in a private network."""

    name = "searxng"
    refusals = {  # noqa: RUF012
        403: "refuses JSON: its operator has to add `json` to `search.formats` in settings.yml"
    }

    def __init__(self, base_url: str, timeout: float = TIMEOUT) -> None:
        super().__init__(timeout)
        self._url = f"{base_url.rstrip('/')}/search"
        self.title = f"SearXNG at {self._url}"

    def request(self, search: Search) -> ServiceRequest:
        """Return the parameters of a search."""
        params = {"q": search.words, "format": "json"}
        if search.since:
            params["time_range"] = search.since
        return ServiceRequest(self._url, params)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results; nothing where engines were silent is a failure of the service."""
        answer = read_object(body, self.title)
        results = [
            as_result(one, "title", "url", "content", "publishedDate", "engine")
            for one in read_entries(answer, self.title, "results")
        ]
        silent = answer.get("unresponsive_engines")
        if silent and not results:
            names = [str(one[0]) for one in silent if isinstance(one, list) and one]
            raise ServiceError(
                f"{self.title} found nothing, and some of its engines did not answer: "
                f"{', '.join(names)[:300]}."
            )
        return results
