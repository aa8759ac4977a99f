"""Documents of the web: read in the sandbox, saved whole, and papers in HTML where they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.document_sandbox import DocumentSandbox
from tests.fakes.fake_site import Answer, FakeSite, fake_site
from tests.tools.document_files import make_notebook, make_pdf
from tools.base import ToolError, ToolResult
from tools.files import SessionFiles
from tools.web.fetch import Fetcher
from tools.web.html_versions import html_version
from tools.web_fetch import WebFetch, WebFetchParams

PAPER = b"<html><body><article><h1>A paper</h1><p>In HTML, with its words.</p>"


class Web:
    """A site, and the tool in a session whose sandbox reads documents."""

    def __init__(self, site: FakeSite, root: Path) -> None:
        self.site = site
        self.sandbox = DocumentSandbox(root)
        self.folder = self.sandbox.workspace
        self.tool = self.make()

    def make(self, **options: Any) -> WebFetch:
        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        fetcher = Fetcher(resolve=resolve, allowed=lambda _: True, **options)
        return WebFetch(fetcher, SessionFiles(self.sandbox.provide))

    async def fetch(self, path: str, host: str = "site.test", **params: Any) -> ToolResult:
        url = f"http://{host}:{self.site.port}{path}"
        return await self.tool.run(WebFetchParams(url=url, **params), lambda output: None)

    def pdf(self, pages: int = 3) -> bytes:
        made = make_pdf(self.folder.parent / "made.pdf", pages).read_bytes()
        self.site.pages["/paper.pdf"] = Answer(made, "application/pdf")
        return made


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with fake_site() as site:
        yield Web(site, tmp_path)


async def test_a_pdf_of_the_web_is_read_by_pages_and_fetched_once(web: Web) -> None:
    data = web.pdf()
    first = await web.fetch("/paper.pdf")
    assert "--- page 1 ---\nChapter 1" in first.text
    assert "[PDF, 3 pages]" in first.text
    assert first.raw == data
    third = await web.fetch("/paper.pdf", pages="3")
    assert third.text.startswith("--- page 3 ---")
    assert third.raw is None
    assert len(web.site.requests) == 1
    assert list(web.folder.iterdir()) == [], "nothing is left in the sandbox"


async def test_a_document_of_more_than_a_pages_limit_is_read(web: Web) -> None:
    data = web.pdf() + b"\n%" + b"x" * (6 << 20)
    web.site.pages["/paper.pdf"] = Answer(data, "application/pdf")
    assert "Chapter 1" in (await web.fetch("/paper.pdf")).text
    web.tool = web.make(max_document=5 << 20)
    with pytest.raises(ToolError, match="more than 5,242,880 bytes: it is not read"):
        await web.fetch("/paper.pdf")


async def test_a_notebook_that_is_served_as_text_shows_its_cells(web: Web) -> None:
    made = make_notebook(web.folder.parent / "a.ipynb").read_bytes()
    web.site.pages["/a.ipynb"] = Answer(made, "text/plain; charset=utf-8")
    assert "--- cell 2 (code, run 7) ---" in (await web.fetch("/a.ipynb")).text


async def test_the_original_is_saved_hashed_and_recorded(web: Web) -> None:
    data = web.pdf()
    result = await web.fetch("/paper.pdf", save_as="papers/one.pdf")
    digest = hashlib.sha256(data).hexdigest()
    assert (web.folder / "papers" / "one.pdf").read_bytes() == data
    assert f"[saved as papers/one.pdf: {len(data):,} bytes, sha256 {digest}]" in result.text
    assert result.changed == ("papers/one.pdf",)
    assert result.details["sha256"] == digest
    assert result.details["saved_as"] == "papers/one.pdf"
    assert result.raw == data


async def test_what_is_not_whole_or_not_there_is_not_saved(web: Web) -> None:
    with pytest.raises(ToolError, match="answered HTTP 404: nothing was saved"):
        await web.fetch("/nowhere", save_as="a")
    web.tool = web.make(max_document=1000)
    web.pdf()
    with pytest.raises(ToolError, match="has more than 1,000 bytes: nothing was saved"):
        await web.fetch("/paper.pdf", save_as="a")
    assert list(web.folder.iterdir()) == []


async def test_a_page_served_as_pdf_is_read_as_a_page(web: Web) -> None:
    page = b"<!DOCTYPE html><html><body><p>Please log in to read this paper.</p></body></html>"
    web.site.pages["/a.pdf"] = Answer(page, "application/pdf")
    result = await web.fetch("/a.pdf")
    assert "Please log in" in result.text
    assert "[served as application/pdf, and is a web page]" in result.text


async def test_a_paper_is_read_in_html_where_that_is_there(web: Web) -> None:
    web.site.pages["/html/2509.17567"] = Answer(PAPER)
    result = await web.fetch("/abs/2509.17567", "arxiv.org")
    assert "In HTML, with its words." in result.text
    assert f"[from http://arxiv.org:{web.site.port}/html/2509.17567]" in result.text
    web.site.pages["/abs/2509.17568"] = Answer(PAPER.replace(b"HTML", b"the abstract"))
    assert "In the abstract" in (await web.fetch("/abs/2509.17568", "arxiv.org")).text


async def test_pages_and_the_original_of_a_paper_are_its_pdf(web: Web) -> None:
    web.site.pages["/html/2509.17567"] = Answer(PAPER)
    data = web.pdf()
    web.site.pages["/pdf/2509.17567"] = Answer(data, "application/pdf")
    assert "Chapter 2" in (await web.fetch("/pdf/2509.17567", "arxiv.org", pages="2")).text
    await web.fetch("/pdf/2509.17567", "arxiv.org", save_as="a.pdf")
    assert (web.folder / "a.pdf").read_bytes() == data
    with pytest.raises(ToolError, match="is not a PDF: it has no pages"):
        await web.fetch("/html/2509.17567", "arxiv.org", pages="2")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://arxiv.org/abs/2509.17567v2", "https://arxiv.org/html/2509.17567v2"),
        ("https://arxiv.org/pdf/2509.17567.pdf", "https://arxiv.org/html/2509.17567"),
        ("https://arxiv.org/html/2509.17567", None),
        ("https://arxiv.org.evil.example/abs/2509.17567", None),
        ("https://example.org/abs/2509.17567", None),
        ("https://[::1/abs", None),
    ],
)
def test_only_papers_of_arxiv_have_an_html_version(url: str, found: str | None) -> None:
    assert html_version(url) == found
