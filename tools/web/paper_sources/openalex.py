"""OpenAlex's interface; who gives an address (`mailto`) is answered faster."""

from __future__ import annotations

from typing import Any

from tools.web.papers import Paper, PaperSearch, PaperSource, as_count, as_year, bare_doi
from tools.web.services.json_answers import (
    entries_of,
    object_of,
    read_entries,
    read_object,
    text_of,
)
from tools.web.services.request import ServiceRequest

_MOST_WORDS = 2000
"""Words of an abstract."""


class Openalex(PaperSource):
    """Asks OpenAlex."""

    name = "openalex"
    title = "OpenAlex"
    pace = 0.1  # 10 requests a second
    url = "https://api.openalex.org/works"

    def request(self, search: PaperSearch) -> ServiceRequest:
        """Return the parameters of a search or a lookup."""
        params = {"mailto": self.mailto} if self.mailto else {}
        if search.doi or search.arxiv:
            doi = search.doi or f"10.48550/arxiv.{search.arxiv}"
            params["filter"] = f"doi:{doi}"
        else:
            params["search"] = search.words
            if search.since:
                params["filter"] = f"from_publication_date:{search.since}-01-01"
        return ServiceRequest(self.url, params | {"per-page": str(search.count)})

    def read(self, body: bytes) -> list[Paper]:
        """Read the works."""
        works = read_entries(read_object(body, self.title), self.title, "results")
        return [_paper(work) for work in works]


def _paper(work: dict[str, Any]) -> Paper:
    place, best = object_of(work, "primary_location"), object_of(work, "best_oa_location")
    authors = (object_of(one, "author") for one in entries_of(work, "authorships"))
    return Paper(
        title=text_of(work.get("title")),
        authors=tuple(text_of(one.get("display_name")) for one in authors),
        year=as_year(work.get("publication_year")),
        venue=text_of(object_of(place, "source").get("display_name")),
        doi=bare_doi(work.get("doi")),
        url=text_of(place.get("landing_page_url")) or text_of(work.get("id")),
        pdf=text_of(best.get("pdf_url")) or text_of(place.get("pdf_url")),
        citations=as_count(work.get("cited_by_count")),
        abstract=_abstract(object_of(work, "abstract_inverted_index")),
    )


def _abstract(index: dict[str, Any]) -> str:
    """Return the text of an inverted index: of each word where it stands."""
    words: dict[int, str] = {}
    for word, places in index.items():
        for place in places if isinstance(places, list) else ():
            if isinstance(place, int) and 0 <= place < _MOST_WORDS:
                words[place] = word
    return " ".join(words[place] for place in sorted(words))
