"""arXiv's interface: Atom, at most one request in three seconds."""

from __future__ import annotations

import re
from xml.parsers import expat

from tools.web.papers import Paper, PaperSearch, PaperSource, as_year
from tools.web.services.request import ServiceError, ServiceRequest

_ATOM = "http://www.w3.org/2005/Atom "
_ARXIV = "http://arxiv.org/schemas/atom "
_DEEPEST = 50
_ID = re.compile(r"arxiv\.org/abs/(\S{1,40}?)(?:v\d{1,3})?$")


class Arxiv(PaperSource):
    """Asks arXiv."""

    name = "arxiv"
    title = "arXiv"
    pace = 3.0  # its terms of use
    url = "https://export.arxiv.org/api/query"

    def request(self, search: PaperSearch) -> ServiceRequest:
        """Return the parameters of a search or a lookup."""
        if search.arxiv:
            return ServiceRequest(self.url, {"id_list": search.arxiv})
        words = " AND ".join(f"all:{_plain(word)}" for word in search.words.split() if _plain(word))
        if search.doi:
            words = f'all:"{search.doi}"'
        if search.since:
            words += f" AND submittedDate:[{search.since}01010000 TO 299912312359]"
        params = {"search_query": words, "max_results": str(search.count)}
        return ServiceRequest(self.url, params | {"sortBy": "relevance"})

    def read(self, body: bytes) -> list[Paper]:
        """Read a feed. It is parsed without a document type, entities and outside files."""
        feed = _Feed()
        try:
            feed.parse(body)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise ServiceError(f"{self.title} did not answer in its Atom form: {error}.") from None
        return [_paper(entry) for entry in feed.entries if _text(entry, "title") != "Error"]


class _Feed:
    """The entries of a feed: the texts of each by name, in order."""

    def __init__(self) -> None:
        self.entries: list[dict[str, list[str]]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser

    def parse(self, body: bytes) -> None:
        """Read a whole feed. Raises `expat.ExpatError`, `LookupError`, `ValueError`."""
        self._root = ""
        self._parser.Parse(body, True)
        if self._root != f"{_ATOM}feed":
            raise ValueError("it is not a feed")

    def _doctype(self, *_: object) -> None:
        raise ValueError("it declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._root = self._root or name
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise ValueError("it is nested too deeply")
        self._text.clear()
        if name == f"{_ATOM}entry":
            self.entries.append({})
        elif name == f"{_ATOM}link" and self.entries and attributes.get("title") == "pdf":
            self._add("pdf", attributes.get("href", ""))

    def _end(self, name: str) -> None:
        self._path.pop()
        if self.entries and f"{_ATOM}entry" in self._path:
            kind = name.removeprefix(_ATOM).removeprefix(_ARXIV)
            self._add(kind, " ".join("".join(self._text).split()))
        self._text.clear()

    def _add(self, kind: str, text: str) -> None:
        self.entries[-1].setdefault(kind, []).append(text)


def _paper(entry: dict[str, list[str]]) -> Paper:
    url = _text(entry, "id")
    found = _ID.search(url[:200])
    return Paper(
        title=_text(entry, "title"),
        authors=tuple(entry.get("name", ())),
        year=as_year(_text(entry, "published")),
        venue=_text(entry, "journal_ref"),
        doi=_text(entry, "doi"),
        arxiv=found[1] if found else "",
        url=url,
        pdf=_text(entry, "pdf"),
        abstract=_text(entry, "summary"),
    )


def _text(entry: dict[str, list[str]], name: str) -> str:
    return next(iter(entry.get(name, ())), "")


def _plain(word: str) -> str:
    """Return a word without what arXiv's search reads as an operator."""
    return "".join(one for one in word if one.isalnum() or one in "-.")
