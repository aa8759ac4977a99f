"""A search service that is down for its first searches, and then finds nothing."""

from __future__ import annotations

from tools.web.search import Search, SearchProvider, SearchResult
from tools.web.services.request import ServiceError, ServiceRequest


class SearchService(SearchProvider):
    """Answers every search but the first ones."""

    name = title = "service"

    def __init__(self, down: int = 1_000_000) -> None:
        super().__init__()
        self.down = down

    def request(self, search: Search) -> ServiceRequest:
        return ServiceRequest("service:", {"q": search.query})

    def read(self, body: bytes) -> list[SearchResult]:
        return []

    async def fetch(self, search: Search) -> bytes:
        self.down -= 1
        if self.down >= 0:
            raise ServiceError("No search engine answered: 429.")
        return b"[]"
