"""The interface of Semantic Scholar, without a key."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tools.web.papers import Paper, PaperSearch, PaperSource, as_count, as_year
from tools.web.services.json_answers import (
    entries_of,
    object_of,
    read_entries,
    read_object,
    text_of,
)
from tools.web.services.request import ServiceRequest

_FIELDS = (
    "title,authors,year,venue,externalIds,url,openAccessPdf,citationCount,abstract,publicationDate"
)


class SemanticScholar(PaperSource):
    """Asks Semantic Scholar."""

    name = "semantic_scholar"
    title = "Semantic Scholar"
    pace = 1.0
    url = "https://api.semanticscholar.org/graph/v1/paper"

    def request(self, search: PaperSearch) -> ServiceRequest:
        """Return the parameters of a search or a lookup."""
        params = {"fields": _FIELDS}
        if search.doi or search.arxiv:
            name = f"DOI:{search.doi}" if search.doi else f"ARXIV:{search.arxiv}"
            return ServiceRequest(f"{self.url}/{quote(name, safe=':')}", params, is_lookup=True)
        params |= {"query": search.words, "limit": str(search.count)}
        if search.since:
            params["year"] = f"{search.since}-"
        return ServiceRequest(f"{self.url}/search", params)

    def read(self, body: bytes) -> list[Paper]:
        """Read the papers of a search, or the one of a lookup."""
        answer = read_object(body, self.title)
        if "paperId" in answer:
            return [_paper(answer)]
        if answer.get("total") == 0 and "data" not in answer:
            return []
        return [_paper(one) for one in read_entries(answer, self.title, "data")]


def _paper(one: dict[str, Any]) -> Paper:
    names = object_of(one, "externalIds")
    return Paper(
        title=text_of(one.get("title")),
        authors=tuple(text_of(author.get("name")) for author in entries_of(one, "authors")),
        year=as_year(one.get("year")),
        venue=text_of(one.get("venue")),
        doi=text_of(names.get("DOI")),
        arxiv=text_of(names.get("ArXiv")),
        url=text_of(one.get("url")),
        pdf=text_of(object_of(one, "openAccessPdf").get("url")),
        citations=as_count(one.get("citationCount")),
        abstract=text_of(one.get("abstract")),
    )
