"""How the web tools work in a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Which search service answers."""

    search_provider: Literal["ddgs", "searxng"] = "ddgs"
    searxng_url: str | None = None
    """Base URL of a SearXNG instance that answers in JSON, such as `http://127.0.0.1:8080`."""
