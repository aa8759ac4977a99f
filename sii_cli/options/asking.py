"""Lists what others' data asks for and takes the user's word: a flag, an earlier yes, or y/N."""

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
from sii_cli.trust.asks import KINDS, MOST, Allowed, Ask, Kind, in_words, kinds_of, refused


def read_kinds(texts: tuple[str, ...]) -> frozenset[Kind]:
    """Return what `--allow` names, by commas or given again. Raises `UsageError`."""
    names = {name.strip() for text in texts for name in text.split(",")} - {""}
    if unknown := names - set(KINDS):
        raise UsageError(f"--allow wants names of {', '.join(KINDS)}: not {min(unknown)!r}.")
    return frozenset(kind for kind in KINDS if kind in names)


def settle(
    asks: Mapping[Ask, int],
    allowed: Allowed,
    *,
    of: str,
    was_granted: Callable[[], bool],
    keep_grant: Callable[[], None],
) -> frozenset[Ask]:
    """Return the asks, when all are allowed. Raises `UsageError` with what is to be said.

    `of` names the data that asks. A yes at the terminal is kept for exactly this data.
    """
    left = refused(asks, allowed)
    if left and not was_granted():
        of = one_line(of, 300)
        _list(of, {one: asks[one] for one in left})
        flags = ",".join(kinds_of(left))
        if not _may_ask(left) or not _agrees(flags):
            raise UsageError(
                f"Nothing was run: {of} asks for more than you allow. If you trust it, say "
                f"--allow {flags}."
            )
        keep_grant()
    return frozenset(asks)


def _agrees(flags: str) -> bool:
    click.echo(
        f"A yes is kept until its content changes; with --allow {flags} nothing is asked.", err=True
    )
    return click.confirm("Allow this?", default=False, err=True)


def _may_ask(left: list[Ask]) -> bool:
    return len(left) <= MOST and sys.stdin.isatty() and sys.stderr.isatty()


def ask_about_project(flags: Mapping[str, Any]) -> None:
    """Ask at the terminal, once, whether a project's file of settings is trusted.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    workspace = _workspace(flags)
    if not os.path.lexists(workspace / PROJECT_FOLDER / CONFIG_FILE):
        return  # as most: what reads one is slow to import
    from sii_cli.config.project_settings import find_project_file, is_refused, is_trusted, trust

    home = find_key_home(os.environ)
    project = find_project_file(workspace, home)
    if project is None or not project.asks:
        return
    if is_trusted(home, project) or is_refused(home, project):
        return
    _list(one_line(str(project.path), 300), dict.fromkeys(project.asks, 1))
    answer = click.confirm("Trust it as it is now?", default=False, err=True)
    trust(home, project, answer=answer)


def trust_project(flags: Mapping[str, Any]) -> None:
    """Show what a project's file of settings asks for, and trust it.

    Raises `UsageError`, `HomeKeyUnusable`, `RecordingFailed`.
    """
    from sii_cli.config.project_settings import find_project_file, trust

    home = find_key_home(os.environ)
    workspace = _workspace(flags)
    project = find_project_file(workspace, home)
    if project is None:
        raise UsageError(f"There is no {workspace / PROJECT_FOLDER / CONFIG_FILE} to trust.")
    _list(one_line(str(project.path), 300), dict.fromkeys(project.asks, 1))
    trust(home, project, answer=True)
    click.echo("It is trusted as it is now; a change asks again.", err=True)


def _list(of: str, asks: Mapping[Ask, int]) -> None:
    click.echo(f"sii: {of} asks for what only you may allow:", err=True)
    for line in in_words(asks):
        click.echo(line, err=True)


def _workspace(flags: Mapping[str, Any]) -> Path:
    return Path(
        flags.get("workspace") or os.environ.get(variable_of("workspace")) or "."
    ).absolute()
