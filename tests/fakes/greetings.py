"""A source of tools other than the built-in ones: one tool, which says hello."""

from __future__ import annotations

from typing import Any

from tools.base import Emit, Params, Tool, ToolResult
from tools.sources import ToolNeeds


class Greet(Tool[Params]):
    name = "greet"
    params = Params
    description = "Say hello."

    async def run(self, params: Params, emit: Emit) -> ToolResult:
        return ToolResult("Hello.")


class Greetings:
    """Offers the tool under any name."""

    def __init__(self, name: str = "greet") -> None:
        self.names = (name,)

    def make(self, name: str, needs: ToolNeeds) -> Tool[Any]:
        return Greet()
