"""The `web_search` tool. It runs on the host, not in the sandbox."""

from __future__ import annotations

from pydantic import Field

from tools.base import Emit, Params, Tool, ToolError, ToolOutage, ToolResult
from tools.text import displayed
from tools.web.search import BadQuery, SearchError, SearchProvider, SearchResult

_TITLE = 200
_URL = 1_000
_SNIPPET = 500
"""Characters of a result that are shown."""
_NOT_YOURS = (
    "The search service cannot be used now: this is not the fault of the query, and nothing is "
    "known of what it would find."
)


class WebSearchParams(Params):
    """What to look for."""

    query: str = Field(description="Words to search for.", min_length=1)
    count: int = Field(8, description="Most results to return.", ge=1, le=20)


class WebSearch(Tool[WebSearchParams]):
    """Searches the web."""

    name = "web_search"
    params = WebSearchParams
    parallel = True
    outside = True

    def __init__(self, provider: SearchProvider) -> None:
        self._provider = provider

    async def run(self, params: WebSearchParams, emit: Emit) -> ToolResult:
        """Search and list the results."""
        try:
            answer = await self._provider.search(params.query, params.count)
        except BadQuery as error:
            raise ToolError("search_failed", f"The search failed. {error}") from None
        except SearchError as error:
            raise ToolOutage(f"The search failed. {error} {_NOT_YOURS}") from None
        entries = [_entry(number, result) for number, result in enumerate(answer.results, 1)]
        return ToolResult(
            "\n\n".join(entries) or "Nothing was found. Try other words.",
            raw=answer.raw,
            details={
                "provider": self._provider.name,
                "urls": [result.url for result in answer.results],
            },
        )


def _entry(number: int, result: SearchResult) -> str:
    lines = (_line(result.title, _TITLE), _line(result.url, _URL), _line(result.snippet, _SNIPPET))
    return displayed("\n   ".join([f"{number}. {lines[0]}", *filter(None, lines[1:])]))


def _line(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit].rstrip()}..."
