"""What `/rules` shows: the mode, the rules and where each comes from, and what they decided."""

from __future__ import annotations

from collections.abc import Mapping

from sii_cli.agent.permissions import Permissions

_MODES = {
    "auto": "auto: calls run without asking, in the sandbox",
    "ask": "ask: a call that may change something is asked for",
}


def rules_lines(permissions: Permissions, sources: Mapping[str, str]) -> list[str]:
    """Return the lines; `sources` says where settings come from."""
    source = sources.get("permission_rules", "")
    rules = [f"  {rule}  ({source})" for rule in permissions.rules]
    grants = [f"  {rule}  (allowed for this session)" for rule in permissions.grants]
    decisions = [f"  {said}" for said in permissions.decisions]
    return [
        f"mode {_MODES[permissions.mode]} (Shift-Tab changes it)",
        "rules, the first that fits decides:" if rules or grants else "no rules",
        *rules,
        *grants,
        *(["decided lately:"] if decisions else []),
        *decisions,
    ]
