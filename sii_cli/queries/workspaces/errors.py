"""Errors of making a query's workspace."""

from __future__ import annotations

from sii_cli.errors import SiiError


class WorkspaceUnavailable(SiiError):
    """Raised when a query's workspace cannot be made."""


class SourceRefused(SiiError):
    """Raised when an archive or a repository is damaged, too large, or may lead outside."""


class GitFailed(SourceRefused):
    """Raised when git is not installed, fails, or takes longer than it may."""
