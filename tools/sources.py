"""Where the tools of a session come from: sources, each of which names its tools and makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.protocol import SandboxProvider
from tools.base import Tool
from tools.files import SessionFiles
from tools.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class ToolNeeds:
    """What tools are made with."""

    sandbox: SandboxProvider
    files: SessionFiles
    web: WebSettings


class ToolSource(Protocol):
    """A source of tools: the built-in ones, or others that a session is opened with.

    A session asks for the names once, when it is opened: its list of tools is fixed from then on,
    and recorded with its hash.
    """

    @property
    def names(self) -> Sequence[str]:
        """Its tools, in the order in which a model reads them."""
        ...

    def make(self, name: str, needs: ToolNeeds) -> Tool[Any]:
        """Return one of its tools, for one session."""
        ...
