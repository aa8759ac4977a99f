"""The `papers` tool: catalogues of papers in one form. It runs on the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from tools.base import Emit, Params, Tool, ToolError, ToolOutage, ToolResult
from tools.text import displayed, one_line
from tools.web.papers import Paper, PaperSource, parse_search
from tools.web.services.asking import Asking
from tools.web.services.request import BadQuery, ServiceError

_TITLE = 300
_URL = 500
_VENUE = 200
_NAME = 80
_ABSTRACT = 600
"""Characters of a paper that are shown; of a single one its whole abstract is."""
_WHOLE = 8_000
_AUTHORS = 6
_NOT_YOURS = "This is not the fault of the query. Another source may answer."


class PapersParams(Params):
    """What to look for, and where."""

    query: str = Field(
        description="Words to search for, or a DOI or an arXiv id to look up.", min_length=1
    )
    source: Literal["openalex", "crossref", "arxiv", "semantic_scholar"] = Field(
        "openalex", description="The catalogue to ask; an arXiv id is looked up at arxiv."
    )
    since: int | None = Field(
        None, description="Only papers of this year and later.", ge=1600, le=2200
    )
    count: int = Field(8, description="Most papers to return.", ge=1, le=25)


class Papers(Tool[PapersParams]):
    """Searches catalogues of papers."""

    name = "papers"
    params = PapersParams
    parallel = True
    outside = True

    def __init__(self, sources: Mapping[str, PaperSource], asking: Asking) -> None:
        self._sources = sources
        self._asking = asking

    async def run(self, params: PapersParams, emit: Emit) -> ToolResult:
        """Search, or look one paper up."""
        search = parse_search(params.query, params.count, params.since)
        is_default = "source" not in params.model_fields_set
        source = self._sources["arxiv" if search.arxiv and is_default else params.source]
        try:
            answer = await self._asking.ask(source, source.request(search), source.read)
        except BadQuery as error:
            raise ToolError("search_failed", f"The search failed. {error}") from None
        except ServiceError as error:
            raise ToolOutage(f"The search failed. {error} {_NOT_YOURS}") from None
        papers = answer.found[: search.count]
        abstract = _WHOLE if len(papers) == 1 else _ABSTRACT
        shown = [
            "\n   ".join(_lines(number, one, abstract)) for number, one in enumerate(papers, 1)
        ]
        if not shown:
            shown = ["Nothing was found. Try other words, or another source."]
        retrieved = datetime.fromtimestamp(answer.time, UTC)
        shown.append(f"[{source.title}, retrieved {retrieved:%Y-%m-%d %H:%M} UTC]")
        return ToolResult(
            displayed("\n\n".join(shown)),
            raw=answer.body,
            details={
                "source": source.name,
                "papers": [_named(paper) for paper in papers],
                "retrieved": answer.time,
                "kept": answer.is_kept,
            },
        )


def _lines(number: int, paper: Paper, abstract: int) -> Iterator[str]:
    yield f"{number}. {one_line(paper.title, _TITLE) or 'without a title'}"
    authors = [one_line(name, _NAME) for name in paper.authors[:_AUTHORS]]
    if len(paper.authors) > _AUTHORS:
        authors.append(f"and {len(paper.authors) - _AUTHORS} more")
    about = (
        ", ".join(authors),
        "" if paper.year is None else str(paper.year),
        one_line(paper.venue, _VENUE),
        "" if paper.citations is None else f"{paper.citations:,} citations",
    )
    yield "; ".join(filter(None, about))
    names = (("DOI", paper.doi), ("arXiv", paper.arxiv))
    named = "; ".join(f"{kind} {one_line(text, _VENUE)}" for kind, text in names if text)
    pdf = f"PDF {one_line(paper.pdf, _URL)}" if paper.pdf else ""
    yield from filter(None, (named, one_line(paper.url, _URL), pdf))
    if paper.abstract:
        yield one_line(paper.abstract, abstract)


def _named(paper: Paper) -> dict[str, object]:
    """Return what identifies a paper, for the recording."""
    whole = asdict(paper)
    texts = {name: one_line(str(whole[name]), _URL) for name in ("title", "doi", "arxiv", "url")}
    return {**texts, "year": paper.year}
