"""The search services by name: the one place where one is added.

A service is a module of its own with a class that is a `tools.web.search.SearchProvider`. Its
constructor takes what the service needs: a URL, a key, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tools.web.search import SearchProvider
    from tools.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """Where a service's code is, and what it needs. It is imported when it is used."""

    module: str
    class_name: str
    needs: Literal["url", "key", "nothing"]
    not_in_batches: str = ""
    """Why no batch may ask it."""

    def make(self, value: str | None) -> SearchProvider:
        """Return the service, with its URL or key."""
        arguments = () if self.needs == "nothing" else (value,)
        provider: SearchProvider = getattr(import_module(self.module), self.class_name)(*arguments)
        return provider


SEARCH_PROVIDERS = {
    "searxng": SearchEntry("tools.web.search_providers.searxng", "SearxngProvider", "url"),
    "brave": SearchEntry("tools.web.search_providers.brave", "BraveProvider", "key"),
    "serper": SearchEntry("tools.web.search_providers.serper", "SerperProvider", "key"),
    "tavily": SearchEntry("tools.web.search_providers.tavily", "TavilyProvider", "key"),
    "exa": SearchEntry("tools.web.search_providers.exa", "ExaProvider", "key"),
    "ddgs": SearchEntry(
        "tools.web.search_providers.ddgs",
        "DdgsProvider",
        "nothing",
        not_in_batches="ddgs asks free search engines, which refuse after a few questions, so "
        "that no batch asks it: set search_provider to another service.",
    ),
}
DEFAULT_SEARCH = "ddgs"


def make_provider(settings: WebSettings) -> SearchProvider:
    """Return the search service of the settings. Raises `ValueError` with the setting it needs."""
    name = settings.search_provider
    entry = SEARCH_PROVIDERS[name]
    value = settings.searxng_url if entry.needs == "url" else settings.search_key
    if entry.needs != "nothing" and value is None:
        raise ValueError(missing_setting(name))
    return entry.make(value)


def why_refused(settings: WebSettings) -> str:
    """Return why the service is not asked in this session, or an empty text."""
    return SEARCH_PROVIDERS[settings.search_provider].not_in_batches if settings.is_batch else ""


def missing_setting(name: str) -> str:
    """Return a sentence on what a search service needs."""
    if SEARCH_PROVIDERS[name].needs == "url":
        return f"The search provider {name} needs the URL of an instance: set searxng_url."
    return f"The search provider {name} needs a key: set search_key."
