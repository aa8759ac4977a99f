"""The `web_fetch` tool: a public page as text. It runs on the host, not in the sandbox."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pydantic import Field

from tools.base import Cut, Emit, Params, Tool, ToolError, ToolResult
from tools.output import PAGE
from tools.web.fetch import Fetcher, FetchResult
from tools.web.page import Page, read_page

LIMIT = 20_000
_KEPT = 8
"""Pages that are kept, so that reading on does not fetch again."""


class WebFetchParams(Params):
    """Which page, and which part of it."""

    url: str = Field(description="An http or https URL.", min_length=1)
    offset: int = Field(0, description="Characters of the text to skip.", ge=0)
    limit: int = Field(LIMIT, description="Most characters to show.", ge=1, le=PAGE)


@dataclass(frozen=True, slots=True)
class _Kept:
    fetched: FetchResult
    page: Page


class WebFetch(Tool[WebFetchParams]):
    """Fetches pages and shows them part by part."""

    name = "web_fetch"
    params = WebFetchParams
    parallel = True
    outside = True

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def run(self, params: WebFetchParams, emit: Emit) -> ToolResult:
        """Fetch the page, or take the one kept when reading on."""
        kept = self._kept.get(params.url) if params.offset else None
        raw = None
        if kept is None:
            fetched = await self._fetcher.fetch(params.url)
            kept = _Kept(fetched, await read_page(fetched))
            raw = fetched.body
            self._keep(params.url, kept)
        return _part(params, kept, raw)

    def _keep(self, url: str, kept: _Kept) -> None:
        self._kept[url] = kept
        self._kept.move_to_end(url)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _part(params: WebFetchParams, kept: _Kept, raw: bytes | None) -> ToolResult:
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
    shown = text[params.offset : end]
    lines = [*([shown] if shown else []), *(f"[{note}]" for note in notes if note)]
    unseen = len(text.encode()) - len(shown.encode())
    return ToolResult(
        "\n".join(lines),
        error="http_error" if fetched.status >= 400 else None,
        cut=Cut(unseen, text.count("\n") - shown.count("\n")) if unseen else None,
        raw=raw,
        details={
            "url": fetched.url,
            "status": fetched.status,
            "content_type": fetched.content_type,
            "bytes": len(fetched.body),
        },
    )
