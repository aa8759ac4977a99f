"""The permissions of a session, made from the settings."""

from __future__ import annotations

from sii_cli.agent.permissions import AskHuman, PermissionMode, Permissions
from sii_cli.config.permission_rules import parse_rule
from sii_cli.config.settings import Settings


def make_permissions(
    settings: Settings, ask: AskHuman | None = None, mode: PermissionMode = "auto"
) -> Permissions:
    """Return permissions with the user's rules; without `ask`, what would be asked is refused."""
    return Permissions(mode, map(parse_rule, settings.permission_rules), ask)
