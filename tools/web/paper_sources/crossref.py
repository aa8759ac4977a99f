"""Crossref's interface; who gives an address (`mailto`) is answered faster."""

from __future__ import annotations

import re
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

_TAG = re.compile(r"<[^<>]{1,100}>")


class Crossref(PaperSource):
    """Asks Crossref."""

    name = "crossref"
    title = "Crossref"
    pace = 0.2
    url = "https://api.crossref.org/works"

    def request(self, search: PaperSearch) -> ServiceRequest:
        """Return the parameters of a search or a lookup."""
        params = {"mailto": self.mailto} if self.mailto else {}
        if search.doi or search.arxiv:
            doi = search.doi or f"10.48550/arxiv.{search.arxiv}"
            return ServiceRequest(f"{self.url}/{quote(doi, safe='')}", params, is_lookup=True)
        params |= {"query.bibliographic": search.words, "rows": str(search.count)}
        if search.since:
            params["filter"] = f"from-pub-date:{search.since}-01-01"
        return ServiceRequest(self.url, params)

    def read(self, body: bytes) -> list[Paper]:
        """Read the works of a search, or the one of a lookup."""
        answer = read_object(body, self.title)
        if answer.get("message-type") == "work":
            works = read_entries({"works": [answer.get("message")]}, self.title, "works")
        else:
            works = read_entries(answer, self.title, "message", "items")
        return [_paper(work) for work in works]


def _paper(work: dict[str, Any]) -> Paper:
    pdfs = [
        text_of(link.get("URL"))
        for link in entries_of(work, "link")
        if link.get("content-type") == "application/pdf"
    ]
    return Paper(
        title=text_of(work.get("title")),
        authors=tuple(_name(author) for author in entries_of(work, "author")),
        year=_year(object_of(work, "issued").get("date-parts")),
        venue=text_of(work.get("container-title")),
        doi=text_of(work.get("DOI")),
        url=text_of(work.get("URL")),
        pdf=next(iter(pdfs), ""),
        citations=as_count(work.get("is-referenced-by-count")),
        abstract=_TAG.sub(" ", text_of(work.get("abstract"))),
    )


def _name(author: dict[str, Any]) -> str:
    given, family = text_of(author.get("given")), text_of(author.get("family"))
    return f"{given} {family}".strip() or text_of(author.get("name"))


def _year(parts: object) -> int | None:
    first = parts[0] if isinstance(parts, list) and parts else None
    return as_year(first[0]) if isinstance(first, list) and first else None
