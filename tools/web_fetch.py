"""The `web_fetch` tool: a public page or document as text. It fetches on the host.

Documents are read inside the sandbox, as files of the workspace are.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from tools.base import Cut, Emit, Params, Tool, ToolError, ToolResult
from tools.documents import Kind, kind_of
from tools.files import SessionFiles, in_workspace
from tools.output import PAGE
from tools.text import displayed
from tools.web.fetch import Fetcher, FetchResult
from tools.web.html_versions import html_version
from tools.web.page import Page, read_page

LIMIT = 20_000
_KEPT = 8
"""Pages that are kept, so that reading on does not fetch again."""
_KEPT_BYTES = 64 << 20
"""Of all of them; the newest is kept whatever its size."""


class WebFetchParams(Params):
    """Which page, and which part of it."""

    url: str = Field(description="An http or https URL.", min_length=1)
    offset: int = Field(0, description="Characters of the text to skip.", ge=0)
    limit: int = Field(LIMIT, description="Most characters to show.", ge=1, le=PAGE)
    pages: str = Field("", description="Pages of a PDF: 3, 3-7 or 3-.")
    save_as: str = Field(
        "", description="Path of a file for the original; relative to /workspace.", max_length=4096
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    fetched: FetchResult
    page: Page


class WebFetch(Tool[WebFetchParams]):
    """Fetches pages and documents, and shows them part by part."""

    name = "web_fetch"
    params = WebFetchParams
    parallel = True
    outside = True

    def __init__(self, fetcher: Fetcher, files: SessionFiles) -> None:
        self._fetcher = fetcher
        self._files = files
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        """By URL and pages."""

    async def run(self, params: WebFetchParams, emit: Emit) -> ToolResult:
        """Fetch the page, or use the one kept when reading on."""
        kept = None if params.save_as else self._find(params)
        raw = None
        if kept is None:
            fetched = await self._fetch(params)
            raw = fetched.body
        else:
            fetched = kept.fetched
        saved = await self._save(params, fetched) if params.save_as else None
        if kept is None or (params.url, params.pages) not in self._kept:
            kept = _Kept(fetched, await self._page(params, fetched))
            self._keep((params.url, params.pages), kept)
        return _part(params, kept, raw, saved)

    def _find(self, params: WebFetchParams) -> _Kept | None:
        """Return what was kept of a page, at least its bytes, when it is read on."""
        if not (params.offset or params.pages):
            return None
        same = (one for key, one in self._kept.items() if key[0] == params.url)
        return self._kept.get((params.url, params.pages)) or next(same, None)

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and (len(self._kept) > _KEPT or self._kept_bytes() > _KEPT_BYTES):
            self._kept.popitem(last=False)

    def _kept_bytes(self) -> int:
        bodies = {id(one.fetched): len(one.fetched.body) for one in self._kept.values()}
        return sum(bodies.values())

    async def _fetch(self, params: WebFetchParams) -> FetchResult:
        """Fetch a paper's HTML where there is one and neither pages nor the original are asked."""
        better = None if params.pages or params.save_as else html_version(params.url)
        if better is not None:
            try:
                fetched = await self._fetcher.fetch(better)
            except ToolError:
                pass  # what was asked for may be there all the same, and says what is wrong if not
            else:
                if fetched.status == 200 and fetched.content_type == "text/html":
                    return fetched
        return await self._fetcher.fetch(params.url, whole=bool(params.save_as))

    async def _page(self, params: WebFetchParams, fetched: FetchResult) -> Page:
        kind = _document_kind(fetched)
        if kind is None:
            if params.pages:
                message = f"{params.url} is not a PDF: it has no pages. Use offset and limit."
                raise ToolError("no_pages", message)
            return await read_page(fetched)
        if fetched.truncated:
            raise ToolError(
                "too_large",
                f"{fetched.url} has more than {len(fetched.body):,} bytes: it is not read.",
            )
        document = await self._files.fetched_document(fetched.body, kind, params.pages)
        return Page(document.text, "; ".join(document.notes))

    async def _save(self, params: WebFetchParams, fetched: FetchResult) -> dict[str, Any]:
        """Write what was fetched into the workspace. Raises `ToolError` when it is not whole."""
        if fetched.status >= 400 or fetched.truncated:
            why = (
                f"has more than {len(fetched.body):,} bytes"
                if fetched.truncated
                else f"answered HTTP {fetched.status}"
            )
            raise ToolError("not_saved", f"{fetched.url} {why}: nothing was saved.")
        before = await self._files.read_if_there(params.save_as)
        written, _ = await self._files.overwrite(params.save_as, fetched.body, before)
        return {
            "saved_as": params.save_as,
            "sha256": hashlib.sha256(fetched.body).hexdigest(),
            "changed": in_workspace(written),
        }


def _document_kind(fetched: FetchResult) -> Kind | None:
    """Return what kind of document came; a table of lines is a text."""
    if fetched.status >= 400:
        return None
    kind = kind_of(urlsplit(fetched.url).path, fetched.body, fetched.content_type)
    return None if kind == "csv" else kind


def _part(
    params: WebFetchParams, kept: _Kept, raw: bytes | None, saved: dict[str, Any] | None
) -> ToolResult:
    fetched, text = kept.fetched, kept.page.text
    end = params.offset + params.limit
    if params.offset and params.offset >= len(text):
        message = f"The text of {params.url} has {len(text):,} characters; nothing is left."
        raise ToolError("out_of_range", message)
    notes = [kept.page.note]
    if fetched.status >= 400:
        notes.append(f"HTTP {fetched.status} {fetched.reason}".strip())
    if fetched.url != params.url:
        notes.append(f"from {fetched.url}")
    if params.offset or end < len(text):
        more = f"; go on with offset={end}" if end < len(text) else ""  # words: allow
        last = min(end, len(text))
        notes.append(f"characters {params.offset:,}-{last:,} of {len(text):,}{more}")
    if not text and not kept.page.note:
        notes.append("the page has no text")
    details: dict[str, Any] = {
        "url": fetched.url,
        "status": fetched.status,
        "content_type": fetched.content_type,
        "bytes": len(fetched.body),
    }
    changed: tuple[str, ...] = ()
    if saved is not None:
        changed = saved.pop("changed")
        details |= saved
        path, size = displayed(params.save_as), len(fetched.body)
        notes.append(f"saved as {path}: {size:,} bytes, sha256 {saved['sha256']}")
    shown = text[params.offset : end]
    lines = [*([shown] if shown else []), *(f"[{note}]" for note in notes if note)]
    unseen = len(text.encode()) - len(shown.encode())
    return ToolResult(
        "\n".join(lines),
        error="http_error" if fetched.status >= 400 else None,
        cut=Cut(unseen, text.count("\n") - shown.count("\n")) if unseen else None,
        raw=raw,
        changed=changed,
        details=details,
    )
