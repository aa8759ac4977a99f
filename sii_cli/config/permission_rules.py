"""The rules of permissions, as a user writes them: `bash: git push* -> ask`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Action = Literal["allow", "ask", "refuse"]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""The mildest first."""


@dataclass(frozen=True, slots=True)
class PermissionRule:
    """What is to be done with calls of a tool whose command, path or other argument fits."""

    tool: str
    """Its name, where `*` is any text."""
    pattern: str
    """Of what the call is about, where `*` is any text."""
    action: Action

    def __str__(self) -> str:
        return f"{self.tool}: {self.pattern} -> {self.action}"

    def is_for(self, tool: str) -> bool:
        """Return whether it is a rule for this tool."""
        return _fits(self.tool, tool)

    def fits(self, text: str, known: int | None = None) -> bool:
        """Return whether the text fits; of a shell command `known` characters are certain."""
        begins = self.pattern.partition("*")[0]
        return (known is None or len(begins) <= known) and _fits(self.pattern, text)

    def may_fit(self, text: str, known: int) -> bool:
        """Return whether a text may fit of which only `known` characters are certain."""
        certain, begins = text[:known], self.pattern.partition("*")[0]
        return certain.startswith(begins) or begins.startswith(certain)


def parse_rule(text: str) -> PermissionRule:
    """Read a rule. Raises `ValueError`."""
    condition, arrow, action = text.rpartition("->")
    tool, colon, pattern = (part.strip() for part in condition.partition(":"))
    action = action.strip()
    if not (arrow and colon and tool and pattern) or action not in ACTIONS:
        raise ValueError("not TOOL: PATTERN -> allow, ask or refuse")
    return PermissionRule(tool, pattern, action)


def _fits(pattern: str, text: str) -> bool:
    """Match in linear time for each `*`: the text may be a model's."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(rest[-1]) and text.endswith(rest[-1])
