"""The catalogues of papers by name: the one place where one is added."""

from __future__ import annotations

from tools.web.paper_sources.arxiv import Arxiv
from tools.web.paper_sources.crossref import Crossref
from tools.web.paper_sources.openalex import Openalex
from tools.web.paper_sources.semantic_scholar import SemanticScholar
from tools.web.papers import PaperSource

PAPER_SOURCES: dict[str, type[PaperSource]] = {
    one.name: one for one in (Openalex, Crossref, Arxiv, SemanticScholar)
}
