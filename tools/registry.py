"""The built-in tools: a new one is a module, its description beside it, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.docker.sii_images import SII_IMAGES
from tools.base import Tool
from tools.bash import Bash
from tools.edit_file import EditFile
from tools.glob import Glob
from tools.grep import Grep
from tools.jobs import Jobs
from tools.papers import Papers
from tools.python import Python
from tools.read_file import ReadFile
from tools.screenshot import Screenshot
from tools.sources import ToolNeeds
from tools.todo import Todo
from tools.web.fetch import Fetcher
from tools.web.paper_sources.registry import PAPER_SOURCES
from tools.web.search_providers.registry import make_provider, why_refused
from tools.web.services.asking import Asking
from tools.web.settings import WebSettings
from tools.web_fetch import WebFetch
from tools.web_search import WebSearch
from tools.write_file import WriteFile


def _papers(web: WebSettings) -> Papers:
    sources = {name: make(web.mailto) for name, make in PAPER_SOURCES.items()}
    return Papers(sources, Asking(web.folder))


def _web_search(web: WebSettings) -> WebSearch:
    return WebSearch(make_provider(web), Asking(web.folder), why_refused(web))


_REGISTRY: dict[str, Callable[[ToolNeeds], Tool[Any]]] = {
    "bash": lambda needs: Bash(needs.sandbox),
    "jobs": lambda needs: Jobs(needs.sandbox),
    "read_file": lambda needs: ReadFile(needs.files),
    "write_file": lambda needs: WriteFile(needs.files),
    "edit_file": lambda needs: EditFile(needs.files),
    "glob": lambda needs: Glob(needs.sandbox),
    "grep": lambda needs: Grep(needs.sandbox),
    "python": lambda needs: Python(needs.sandbox),
    "web_search": lambda needs: _web_search(needs.web),
    "web_fetch": lambda needs: WebFetch(Fetcher(), needs.files),
    "papers": lambda needs: _papers(needs.web),
    "todo": lambda _: Todo(),
    "screenshot": lambda needs: Screenshot(needs.sandbox, needs.files),
}


class BuiltIn:
    """The tools that come with sii (a `ToolSource`)."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every built-in tool, in the order in which a model reads them."""
        return tuple(_REGISTRY)

    def make(self, name: str, needs: ToolNeeds) -> Tool[Any]:
        """Return a tool for one session."""
        return _REGISTRY[name](needs)


BUILT_IN = BuiltIn()

ALL_TOOLS = BUILT_IN.names
"""The tools that settings and query files may name. Those of other sources are known to a session
alone (`tools.sources.ToolSource`)."""
_NEEDS_IMAGE = {"screenshot": SII_IMAGES["web"].tag}
"""Tools that a session has unasked only with an image of sii's."""
TOOL_NAMES = tuple(name for name in ALL_TOOLS if name not in _NEEDS_IMAGE)
"""The tools that a session has unasked with every image."""


def default_tools(image: str) -> tuple[str, ...]:
    """Return the tools of a session with this image for which none were chosen."""
    return tuple(name for name in ALL_TOOLS if _NEEDS_IMAGE.get(name, image) == image)
