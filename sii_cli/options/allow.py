"""`--allow`: lists what foreign data requires, and takes the user's grant: a flag or an answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sii_cli.config.settings import CONFIG_FILE, PROJECT_FOLDER, find_key_home, variable_of
from sii_cli.errors import UsageError
from sii_cli.text.sanitise import one_line
from sii_cli.trust.requirements import (
    KINDS,
    MOST,
    Grants,
    Kind,
    Requirement,
    kinds_of,
    lines_of,
    not_granted,
)


def read_kinds(texts: tuple[str, ...]) -> frozenset[Kind]:
    """Return the kinds that `--allow` names, by commas or repeated. Raises `UsageError`."""
    names = {name.strip() for text in texts for name in text.split(",")} - {""}
    if unknown := names - set(KINDS):
        raise UsageError(f"--allow wants names of {', '.join(KINDS)}: not {min(unknown)!r}.")
    return frozenset(kind for kind in KINDS if kind in names)


def require_grants(
    requirements: Mapping[Requirement, int],
    granted: Grants,
    *,
    of: str,
    was_granted: Callable[[], bool],
    keep_grant: Callable[[], None],
) -> None:
    """Raise `UsageError` unless all requirements are granted, by a flag or at the terminal.

    `of` names the data that has them. A yes is kept for exactly this data.
    """
    left = not_granted(requirements, granted)
    if left and not was_granted():
        of = one_line(of, 300)
        _list(of, {one: requirements[one] for one in left})
        flags = ",".join(kinds_of(left))
        if not _may_ask(left) or not _agrees(flags):
            raise UsageError(
                f"Nothing was run: {of} asks for more than you allow. If you trust it, say "
                f"--allow {flags}."
            )
        keep_grant()


def _agrees(flags: str) -> bool:
    click.echo(
        f"A yes is kept until its content changes; with --allow {flags} nothing is asked.", err=True
    )
    return click.confirm("Allow this?", default=False, err=True)


def _may_ask(left: list[Requirement]) -> bool:
    return len(left) <= MOST and sys.stdin.isatty() and sys.stderr.isatty()


def ask_about_project(flags: Mapping[str, Any]) -> None:
    """Ask at the terminal, once, whether a project's file of settings is trusted.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    workspace = _workspace(flags)
    if not os.path.lexists(workspace / PROJECT_FOLDER / CONFIG_FILE):
        return  # the usual case: reading such a file takes a slow import
    from sii_cli.config.project_settings import find_project_file, is_refused, is_trusted, trust

    home = find_key_home(os.environ)
    project = find_project_file(workspace, home)
    if project is None or not project.requirements:
        return
    if is_trusted(home, project) or is_refused(home, project):
        return
    _list(one_line(str(project.path), 300), dict.fromkeys(project.requirements, 1))
    answer = click.confirm("Trust it as it is now?", default=False, err=True)
    trust(home, project, answer=answer)


def trust_project(flags: Mapping[str, Any]) -> None:
    """Show what a project's file of settings requires, and trust it.

    Raises `UsageError`, `HomeKeyUnusable`, `RecordingFailed`.
    """
    from sii_cli.config.project_settings import find_project_file, trust

    home = find_key_home(os.environ)
    workspace = _workspace(flags)
    project = find_project_file(workspace, home)
    if project is None:
        raise UsageError(f"There is no {workspace / PROJECT_FOLDER / CONFIG_FILE} to trust.")
    _list(one_line(str(project.path), 300), dict.fromkeys(project.requirements, 1))
    trust(home, project, answer=True)
    click.echo("It is trusted as it is now; a change asks again.", err=True)


def _list(of: str, requirements: Mapping[Requirement, int]) -> None:
    click.echo(f"sii: {of} asks for what only you may allow:", err=True)
    for line in lines_of(requirements):
        click.echo(line, err=True)


def _workspace(flags: Mapping[str, Any]) -> Path:
    return Path(
        flags.get("workspace") or os.environ.get(variable_of("workspace")) or "."
    ).absolute()
