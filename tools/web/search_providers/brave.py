"""The search interface of Brave."""

from __future__ import annotations

from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_object, text_of
from tools.web.services.request import ServiceRequest

_SINCE = {"day": "pd", "week": "pw", "month": "pm", "year": "py"}


class BraveProvider(SearchProvider):
    """Asks Brave with a key."""

    name = "brave"
    title = "Brave"
    pace = 1.0  # of its free plan
    url = "https://api.search.brave.com/res/v1/web/search"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._headers = {"X-Subscription-Token": key, "Accept": "application/json"}

    def request(self, search: Search) -> ServiceRequest:
        """Return the parameters of a search."""
        params = {"q": search.words, "count": str(search.count), "text_decorations": "false"}
        if search.since:
            params["freshness"] = _SINCE[search.since]
        return ServiceRequest(self.url, params, headers=self._headers)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results; without any there is no `web`."""
        answer = read_object(body, self.title)
        if answer.get("type") == "search" and "web" not in answer:
            return []
        return [_result(one) for one in read_entries(answer, self.title, "web", "results")]


def _result(entry: dict[str, object]) -> SearchResult:
    profile = entry.get("profile")
    source = text_of(profile.get("name")) if isinstance(profile, dict) else ""
    date = "page_age" if entry.get("page_age") else "age"
    return as_result(entry | {"source": source}, "title", "url", "description", date, "source")
