"""How the web tools work in a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tools.web.search_providers.registry import DEFAULT_SEARCH


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Which services answer, and what the sessions of a home share."""

    search_provider: str = DEFAULT_SEARCH
    searxng_url: str | None = None
    """Base URL of a SearXNG instance that answers in JSON, such as `http://127.0.0.1:8080`."""
    search_key: str | None = field(default=None, repr=False)
    """Key of a search service that wants one."""
    mailto: str | None = None
    """The address of the user, which catalogues of papers are given."""
    folder: Path | None = None
    """Where answers and the pace of requests are shared; `None` shares nothing."""
    is_batch: bool = False
    """Whether many sessions ask: then a service that is for trying only is not asked."""
