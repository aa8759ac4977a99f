"""What every catalogue of papers does: a search or a name in, papers in one form out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tools.web.services.request import ServiceRequest

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s?)?(10\.\d{4,9}/\S{1,300})", re.IGNORECASE)
_ARXIV_DOI = "10.48550/arxiv."
_ARXIV = re.compile(
    r"(?:https?://arxiv\.org/(?:abs|pdf)/|arxiv:\s?)?"
    r"(\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?(?:\.pdf)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper, as a catalogue knows it; what it does not know is empty or `None`."""

    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    doi: str = ""
    arxiv: str = ""
    url: str = ""
    pdf: str = ""
    citations: int | None = None
    abstract: str = ""


@dataclass(frozen=True, slots=True)
class PaperSearch:
    """Words to search for, or the name of one paper."""

    words: str = ""
    doi: str = ""
    arxiv: str = ""
    count: int = 8
    since: int | None = None
    """The first year."""


class PaperSource(ABC):
    """A catalogue of papers (a `tools.web.services.request.Service`)."""

    name: str
    title: str
    pace: float
    refusals: ClassVar[Mapping[int, str]] = {}
    url: str

    def __init__(self, mailto: str | None = None) -> None:
        """`mailto`: who asks; some catalogues answer faster then."""
        self.mailto = mailto

    @abstractmethod
    def request(self, search: PaperSearch) -> ServiceRequest:
        """Return the question as the catalogue wants it."""

    @abstractmethod
    def read(self, body: bytes) -> list[Paper]:
        """Read an answer's papers. Raises `ServiceError`."""


def parse_search(query: str, count: int, since: int | None) -> PaperSearch:
    """Return a search; a query that is a DOI or an arXiv id, or its URL, names one paper."""
    text = query.strip()
    if len(text) < 400:
        if match := _DOI.fullmatch(text):
            doi = match[1].rstrip(".,;")
            if doi.lower().startswith(_ARXIV_DOI):
                return PaperSearch(arxiv=doi[len(_ARXIV_DOI) :], count=1)
            return PaperSearch(doi=doi, count=1)
        if match := _ARXIV.fullmatch(text):
            return PaperSearch(arxiv=match[1], count=1)
    return PaperSearch(words=query, count=count, since=since)


def as_year(value: object) -> int | None:
    """Return a year, also of a date that begins with one."""
    text = str(value)[:4]
    return int(text) if text.isascii() and text.isdigit() and len(text) == 4 else None


def as_count(value: object) -> int | None:
    """Return a number of citations."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def bare_doi(value: object) -> str:
    """Return a DOI without the address of its resolver."""
    text = "" if value is None else str(value)[:400]
    return text.rpartition("doi.org/")[2] or text
