"""The `web_search` tool. It runs on the host, not in the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from sandbox.network.hosts import canonical
from tools.base import Emit, Params, Tool, ToolError, ToolOutage, ToolResult
from tools.text import displayed, one_line
from tools.web.search import Search, SearchProvider, SearchResult, Since
from tools.web.services.asking import Asking
from tools.web.services.request import BadQuery, ServiceError

_TITLE = 200
_URL = 1_000
_SNIPPET = 500
_ABOUT = 120
"""Characters of a result that are shown."""
_NOT_YOURS = (
    "The search service cannot be used now: this is not the fault of the query, and nothing is "
    "known of what it would find."
)


class WebSearchParams(Params):
    """What to look for."""

    query: str = Field(description="Words to search for.", min_length=1)
    count: int = Field(8, description="Most results to return.", ge=1, le=20)
    since: Since | None = Field(None, description="Only pages of the last day, week, month, year.")
    site: str | None = Field(None, description="Only pages of this host, such as example.org.")


class WebSearch(Tool[WebSearchParams]):
    """Searches the web."""

    name = "web_search"
    params = WebSearchParams
    parallel = True
    outside = True

    def __init__(self, provider: SearchProvider, asking: Asking, refusal: str = "") -> None:
        """`refusal`: why the service is not asked in this session."""
        self._provider = provider
        self._asking = asking
        self._refusal = refusal

    async def run(self, params: WebSearchParams, emit: Emit) -> ToolResult:
        """Search and list the results."""
        if self._refusal:
            raise ToolOutage(f"The search failed. {self._refusal} {_NOT_YOURS}")
        provider = self._provider
        search = Search(params.query, params.count, params.since, _host(params.site))
        try:
            answer = await self._asking.ask(
                provider, provider.request(search), provider.read, lambda: provider.fetch(search)
            )
        except BadQuery as error:
            raise ToolError("search_failed", f"The search failed. {error}") from None
        except ServiceError as error:
            raise ToolOutage(f"The search failed. {error} {_NOT_YOURS}") from None
        results = answer.found[: params.count]
        entries = [_entry(number, result) for number, result in enumerate(results, 1)]
        if not entries:
            entries = ["Nothing was found. Try other words."]
        retrieved = datetime.fromtimestamp(answer.time, UTC)
        return ToolResult(
            "\n\n".join([*entries, f"[retrieved {retrieved:%Y-%m-%d %H:%M} UTC]"]),
            raw=answer.body,
            details={
                "provider": provider.name,
                "urls": [result.url for result in results],
                "retrieved": answer.time,
                "kept": answer.is_kept,
            },
        )


def _host(site: str | None) -> str | None:
    """Return a host in its one form, also of a URL. Raises `ToolError`."""
    if not site:
        return None
    try:
        return canonical(site.rpartition("://")[2].partition("/")[0])
    except ValueError:
        words = f"{one_line(site, _ABOUT)} is not a host: give a name such as example.org."
        raise ToolError("bad_site", words) from None


def _entry(number: int, result: SearchResult) -> str:
    about = ", ".join(filter(None, (result.date, result.source)))
    lines = (
        one_line(result.url, _URL),
        one_line(about, _ABOUT),
        one_line(result.snippet, _SNIPPET),
    )
    title = f"{number}. {one_line(result.title, _TITLE)}"
    return displayed("\n   ".join([title, *filter(None, lines)]))
