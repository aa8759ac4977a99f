"""The tools of one session: their schemas, and how a model's call is carried out."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from pydantic import ValidationError

from sandbox.protocol import FileError, Sandbox, SandboxProvider
from tools.base import Emit, ToolError, ToolResult
from tools.command_text import job_state
from tools.files import SessionFiles
from tools.registry import BUILT_IN
from tools.schema import BadArguments, function_schema, parse_arguments, wrong_arguments
from tools.sources import ToolNeeds, ToolSource
from tools.text import displayed
from tools.web.settings import WebSettings

_NAME = 100
"""Characters of an unknown tool's name that are compared and quoted."""
_REFUSAL_ENDS = 2_000
"""Characters that are kept of each end of a refusal: what it quotes may be of any length."""


class Toolbox:
    """The tools of one session."""

    def __init__(
        self,
        names: Iterable[str],
        sandbox: SandboxProvider,
        web: WebSettings,
        sources: Sequence[ToolSource] = (),
    ) -> None:
        """`names` are those of built-in tools; of other `sources` the session has every tool.

        Each source is asked once. Raises `ValueError` for a name that is not built in, or that two
        sources have.
        """
        source_of = _source_of_each(names, sources)
        self._provider = sandbox
        self._sandbox: Sandbox | None = None
        """The sandbox that was used last."""
        needs = ToolNeeds(self._provide, SessionFiles(self._provide), web)
        self._tools = {name: source.make(name, needs) for name, source in source_of.items()}
        self.schemas: list[dict[str, Any]] = [
            function_schema(tool) for tool in self._tools.values()
        ]
        """OpenAI function tools, in the order of the sources whatever the order of the names."""
        self._parameters = {
            schema["function"]["name"]: schema["function"]["parameters"] for schema in self.schemas
        }
        self.schemas_json: bytes = orjson.dumps(self.schemas)
        self.sha256: str = hashlib.sha256(self.schemas_json).hexdigest()
        """Of `schemas_json`: it changes when anything changes that a model reads of the tools."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tools of this session."""
        return tuple(self._tools)

    def parallel(self, name: str) -> bool:
        """Whether calls of this tool may run at the same time as others of one step."""
        return name in self._tools and self._tools[name].parallel

    def outside(self, name: str) -> bool:
        """Whether what calls of this tool return comes from outside the sandbox."""
        return name in self._tools and self._tools[name].outside

    def may_change(self, name: str, arguments: str) -> bool:
        """Whether a call may change the workspace: one that runs alone, or that saves a file."""
        if not self.parallel(name):
            return True
        return "save_as" in arguments and bool((self.parse(arguments) or {}).get("save_as"))

    def parse(self, arguments: str) -> dict[str, Any] | None:
        """Parse the raw arguments of a call; `None` when they are not a JSON object."""
        try:
            return parse_arguments(arguments)
        except BadArguments:
            return None

    async def call(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        """Run one call. What the model did wrong becomes the result's text and `error`.

        Jobs that ended meanwhile are reported at the end of the text. Raises what the sandbox
        raises when it is gone (`SandboxLost`, `SandboxUnavailable`).
        """
        result = await self._carry_out(name, arguments, emit)
        ended = self._sandbox.ended_jobs() if self._sandbox else []
        if not ended:
            return result
        news = [line for line in map(job_state, ended) if line not in result.text]
        known = result.details.get("ended_jobs", [])
        details = result.details | {"ended_jobs": [*known, *(job.job_id for job in ended)]}
        return replace(result, text="\n".join([result.text, *news]), details=details)

    async def _carry_out(self, name: str, arguments: str, emit: Emit) -> ToolResult:
        tool = self._tools.get(name)
        if tool is None:
            return _refusal("unknown_tool", self._unknown(name))
        try:
            params = tool.params.model_validate(parse_arguments(arguments))
        except BadArguments as bad:
            return _refusal("bad_json", f"{bad} {name} was not run.")
        except ValidationError as error:
            complaints = wrong_arguments(error, self._parameters[name])
            text = f"The arguments of {name} do not fit; it was not run.\n{complaints}"
            return _refusal("bad_arguments", text)
        try:
            return await tool.run(params, emit)
        except (ToolError, FileError) as error:
            return _refusal(error.kind, str(error))

    async def _provide(self) -> Sandbox:
        self._sandbox = await self._provider()
        return self._sandbox

    def _unknown(self, name: str) -> str:
        name = name[:_NAME]
        names = sorted(
            self._tools, key=lambda known: -difflib.SequenceMatcher(None, known, name).ratio()
        )
        quoted = json.dumps(name, ensure_ascii=False)
        return f"There is no tool {quoted}; nothing was run. There are: {', '.join(names)}."


def _source_of_each(names: Iterable[str], sources: Sequence[ToolSource]) -> dict[str, ToolSource]:
    """Return the source of each tool, in the order in which a model reads them."""
    chosen = set(names)
    if unknown := sorted(chosen.difference(BUILT_IN.names)):
        there = ", ".join(BUILT_IN.names)
        raise ValueError(f"There is no tool {', '.join(unknown)}; there are: {there}.")
    found: dict[str, ToolSource] = {name: BUILT_IN for name in BUILT_IN.names if name in chosen}
    for source in sources:
        for name in source.names:
            if name in found:
                raise ValueError(f"Two sources have a tool {name}.")
            found[name] = source
    return found


def _refusal(kind: str, text: str) -> ToolResult:
    text = displayed(text)
    if len(text) > 2 * _REFUSAL_ENDS:
        text = f"{text[:_REFUSAL_ENDS]} [...] {text[-_REFUSAL_ENDS:]}"
    return ToolResult(text, error=kind)
