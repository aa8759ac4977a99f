"""What a tool is: a name, a description for the model, pydantic parameters, and `run`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Emit = Callable[[bytes], None]
"""Called in the event loop with raw output as it arrives, for the screen."""


TOOL_INFRA = "tool_infra"
"""Kind of the error of a call that failed for a reason of this installation."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the model is not shown of an output."""

    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call returned.

    `text` is what the model reads. Everything else is for the recording and the screen.
    """

    text: str
    error: str | None = None
    """Kind of the error, or `None` when the call worked."""
    exit_code: int | None = None
    cut: Cut | None = None
    full: bytes | None = None
    """The whole output as it was, where `text` does not hold it."""
    raw: bytes | None = None
    """What an outside service answered, as it answered."""
    changed: tuple[str, ...] = ()
    """Workspace files that the call is known to have changed."""
    details: dict[str, Any] = field(default_factory=dict)


class ToolError(Exception):
    """Raised when a call cannot be run; the message tells the model the fact and the remedy."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ToolOutage(ToolError):
    """Raised when a call fails for a reason of this installation: a service that it uses is down or
    refuses, its network is gone, a part of it is broken.

    What the model asked for, and the state of a page or a site, is a `ToolError`. The message
    tells the model the fact.
    """

    def __init__(self, message: str) -> None:
        super().__init__(TOOL_INFRA, message)


class Params(BaseModel):
    """Base of every tool's parameters: unknown names are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


P = TypeVar("P", bound=Params)


class Tool(ABC, Generic[P]):
    """One tool of one session. State between calls lives on the instance.

    The description is the `.md` file of the tool's name beside its module.
    """

    name: ClassVar[str]
    params: type[P]
    parallel: ClassVar[bool] = False
    """Calls of one step may run at the same time as others."""
    outside: ClassVar[bool] = False
    """What a call returns comes from outside the sandbox, and may be another tomorrow."""

    @cached_property
    def description(self) -> str:
        """What the model reads about the tool."""
        return resources.files("tools").joinpath(f"{self.name}.md").read_text("utf-8").strip()

    @abstractmethod
    async def run(self, params: P, emit: Emit) -> ToolResult:
        """Carry out one call.

        Raises `ToolError` for what the model can correct, `ToolOutage` for what it cannot.
        Cancelling ends what the call runs.
        """
