"""Catalogues of papers in their real shapes, and what hostile ones send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tools.base import ToolError, ToolOutage, ToolResult
from tools.papers import Papers, PapersParams
from tools.web.paper_sources.registry import PAPER_SOURCES
from tools.web.papers import PaperSource, parse_search
from tools.web.services.asking import Asking

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: search_query=all:lamps</title>
  <id>http://arxiv.org/api/x</id>
  <entry>
    <id>http://arxiv.org/abs/2509.17567v2</id>
    <published>2025-09-22T10:59:32Z</published>
    <title>Lamps of
      Lighthouses</title>
    <summary>  We measure lamps. </summary>
    <author><name>Ada Keeper</name></author>
    <author><name>Grace Wick</name></author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/lamps</arxiv:doi>
    <arxiv:journal_ref xmlns:arxiv="http://arxiv.org/schemas/atom">J. Lamps 3</arxiv:journal_ref>
    <link href="http://arxiv.org/abs/2509.17567v2" rel="alternate" type="text/html"/>
    <link title="pdf" href="http://arxiv.org/pdf/2509.17567v2" rel="related"/>
  </entry>
</feed>"""
OPENALEX = {
    "meta": {"count": 1},
    "results": [
        {
            "id": "https://openalex.org/W1",
            "doi": "https://doi.org/10.1000/lamps",
            "title": "Lamps of Lighthouses",
            "publication_year": 2025,
            "cited_by_count": 1234,
            "authorships": [
                {"author": {"display_name": "Ada Keeper"}},
                {"author": {"display_name": "Grace Wick"}},
            ],
            "primary_location": {
                "landing_page_url": "https://doi.org/10.1000/lamps",
                "source": {"display_name": "J. Lamps"},
            },
            "best_oa_location": {"pdf_url": "https://lamps.test/1.pdf"},
            "abstract_inverted_index": {"measure": [1], "We": [0], "lamps.": [2]},
        }
    ],
}
WORK = {
    "DOI": "10.1000/lamps",
    "URL": "https://doi.org/10.1000/lamps",
    "title": ["Lamps of Lighthouses"],
    "author": [
        {"given": "Ada", "family": "Keeper", "sequence": "first"},
        {"given": "Grace", "family": "Wick"},
    ],
    "issued": {"date-parts": [[2025, 9, 22]]},
    "container-title": ["J. Lamps"],
    "is-referenced-by-count": 1234,
    "abstract": "<jats:p>We measure lamps.</jats:p>",
    "link": [{"URL": "https://lamps.test/1.pdf", "content-type": "application/pdf"}],
}
CROSSREF = {"status": "ok", "message-type": "work-list", "message": {"items": [WORK]}}
SCHOLAR_PAPER = {
    "paperId": "a1",
    "externalIds": {"DOI": "10.1000/lamps", "ArXiv": "2509.17567"},
    "url": "https://www.semanticscholar.org/paper/a1",
    "title": "Lamps of Lighthouses",
    "abstract": "We measure lamps.",
    "venue": "J. Lamps",
    "year": 2025,
    "citationCount": 1234,
    "openAccessPdf": {"url": "https://lamps.test/1.pdf", "status": "GREEN"},
    "authors": [{"authorId": "1", "name": "Ada Keeper"}, {"authorId": "2", "name": "Grace Wick"}],
}
SCHOLAR = {"total": 1, "offset": 0, "data": [SCHOLAR_PAPER]}
ANSWERS = {
    "arxiv": ATOM,
    "openalex": json.dumps(OPENALEX),
    "crossref": json.dumps(CROSSREF),
    "semantic_scholar": json.dumps(SCHOLAR),
}


def sources_at(site: FakeSite) -> dict[str, PaperSource]:
    sources = {name: make("ada@example.org") for name, make in PAPER_SOURCES.items()}
    for name, one in sources.items():
        one.url = f"http://127.0.0.1:{site.port}/{name}"
    return sources


async def search(site: FakeSite, query: str = "lamps", **params: Any) -> ToolResult:
    asked = PapersParams.model_validate({"query": query, **params})
    return await Papers(sources_at(site), Asking(None)).run(asked, lambda _: None)


def path_of(name: str) -> str:
    return f"/{name}/search" if name == "semantic_scholar" else f"/{name}"


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_catalogue_answers_in_one_form(name: str) -> None:
    with fake_site() as site:
        site.pages[path_of(name)] = Answer(ANSWERS[name].encode())
        result = await search(site, source=name)
    lines = result.text.splitlines()
    assert lines[0] == "1. Lamps of Lighthouses"
    assert lines[1].startswith("   Ada Keeper, Grace Wick; 2025; J. Lamps")
    assert ("1,234 citations" in lines[1]) == (name != "arxiv")
    assert "DOI 10.1000/lamps" in lines[2]
    assert "PDF http" in result.text
    assert "We measure lamps." in result.text
    assert f"[{PAPER_SOURCES[name].title}, retrieved 20" in lines[-1]
    assert result.details["papers"][0]["doi"] == "10.1000/lamps"
    assert (result.raw or b"").decode() == ANSWERS[name]


@pytest.mark.parametrize(
    ("query", "name", "path"),
    [
        ("10.1000/lamps", "crossref", "/crossref/10.1000%2Flamps?mailto=ada%40example.org"),
        ("10.1000/lamps", "openalex", "/openalex?mailto=ada%40example.org&filter=doi%3A10.1000%2F"),
        ("https://doi.org/10.1000/lamps", "semantic_scholar", "/semantic_scholar/DOI:10.1000%2F"),
        ("arXiv:2509.17567v2", "arxiv", "/arxiv?id_list=2509.17567"),
        ("https://arxiv.org/abs/2509.17567", "arxiv", "/arxiv?id_list=2509.17567"),
        ("10.48550/arXiv.2509.17567", "arxiv", "/arxiv?id_list=2509.17567"),
        ("hep-th/9901001", "arxiv", "/arxiv?id_list=hep-th%2F9901001"),
    ],
)
async def test_a_name_is_looked_up(query: str, name: str, path: str) -> None:
    with fake_site() as site, pytest.raises(ToolError):
        await search(site, query, **({} if name == "arxiv" else {"source": name}))
    assert site.requests[0][1].startswith(path)


async def test_one_work_of_a_lookup_is_read() -> None:
    with fake_site() as site:
        work = {"status": "ok", "message-type": "work", "message": WORK}
        site.pages["/crossref/10.1000%2Flamps"] = Answer(json.dumps(work).encode())
        site.pages["/semantic_scholar/DOI:10.1000%2Flamps"] = Answer(
            json.dumps(SCHOLAR_PAPER).encode()
        )
        for source in ("crossref", "semantic_scholar"):
            result = await search(site, "10.1000/lamps", source=source)
            assert result.text.startswith("1. Lamps of Lighthouses\n")


async def test_a_name_that_a_catalogue_does_not_know_is_the_models() -> None:
    with fake_site() as site, pytest.raises(ToolError, match="knows nothing of that name") as error:
        await search(site, "10.1000/none", source="crossref")
    assert error.value.kind == "search_failed"


async def test_a_catalogue_at_a_wrong_address_is_an_outage() -> None:
    with fake_site() as site, pytest.raises(ToolOutage, match="HTTP 404"):
        await search(site)


async def test_a_search_begins_with_a_year() -> None:
    with fake_site() as site:
        for name in ANSWERS:
            site.pages[path_of(name)] = Answer(ANSWERS[name].encode())
            await search(site, source=name, since=2024)
    assert all("2024" in path for _, path in site.requests)


def test_words_are_no_name() -> None:
    for words in ("lamps 10.1000/x in towers", "2509", "version 1.2", "10 lamps", "x" * 1000):
        found = parse_search(words, 5, None)
        assert (found.words, found.doi, found.arxiv) == (words, "", "")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_catalogue_that_is_down_is_an_outage(status: int) -> None:
    with fake_site() as site:
        site.pages["/openalex"] = Answer(b"no", status=status)
        with pytest.raises(ToolOutage, match="Another source may answer"):
            await search(site)


REST = ATOM.partition("\n")[2]
BOMBS = {
    "entities": '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + REST,
    "an outside file": '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + REST,
    "depth": '<feed xmlns="http://www.w3.org/2005/Atom">' + "<a>" * 100_000,
    "another root": "<html><body>Please pay.</body></html>",
    "no end": ATOM[:-20],
    "text": "no",
    "nothing": "",
    "an unknown charset": ATOM.replace("UTF-8", "x-odd"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_hostile_xml_is_refused(name: str) -> None:
    with fake_site() as site:
        site.pages["/arxiv"] = Answer(BOMBS[name].encode())
        with pytest.raises(ToolOutage, match="did not answer in its Atom form"):
            await search(site, source="arxiv")


async def test_entities_in_another_encoding_are_refused_too() -> None:
    with fake_site() as site:
        site.pages["/arxiv"] = Answer(BOMBS["entities"].encode("utf-16"))
        with pytest.raises(ToolOutage, match="declares a document type"):
            await search(site, source="arxiv")


@pytest.mark.parametrize("name", ["openalex", "crossref", "semantic_scholar"])
async def test_odd_json_is_read_as_far_as_it_goes(name: str) -> None:
    odd: dict[str, Any] = {
        "title": ["\x1b[2Jx"],
        "authorships": [5, {"author": "x"}],
        "author": {"a": 1},
        "authors": ["x", {}],
        "issued": {"date-parts": [[None]]},
        "publication_year": "soon",
        "year": -1,
        "cited_by_count": "many",
        "abstract_inverted_index": {"x": [10**12, "y"]},
        "externalIds": [],
        "link": [None],
    }
    answer = {"results": [odd], "message": {"items": [odd]}, "data": [odd]}
    with fake_site() as site:
        site.pages[path_of(name)] = Answer(json.dumps(answer).encode())
        result = await search(site, source=name)
    assert result.text.startswith("1. \\x1b[2Jx")
