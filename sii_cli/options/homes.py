"""`--home DIR`: the homes that a command reads, or the one in which it runs sessions."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sii_cli.config.homes import is_users, name_homes
from sii_cli.config.paths import real_path
from sii_cli.errors import UsageError

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def homes_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that reads or reviews `--home`, which may be repeated."""
    help_text = "Read this home, or this batch's folder; may be repeated."
    return _option(_read, help_text, multiple=True)(function)


def home_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that works in a home `--home`."""
    return _option(_work_in, "Work in this home (`sii init` makes one).")(function)


def _option(callback: Callable[..., None], help_text: str, **more: Any) -> Decorator:
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        metavar="DIR",
        callback=callback,
        expose_value=False,
        is_eager=True,
        help=help_text,
        **more,
    )


def _read(context: click.Context, _: object, paths: tuple[Path, ...]) -> None:
    homes = list(dict.fromkeys(map(_found, paths)))
    if homes and not context.resilient_parsing:
        name_homes(context, homes)


def _work_in(context: click.Context, _: object, path: Path | None) -> None:
    if path is None or context.resilient_parsing:
        return
    home = _found(path)
    if not is_users(home):
        raise UsageError(
            f"{home} is not known as a home of yours: make one with `sii init DIR`, or say "
            f"SII_HOME={shlex.quote(str(home))} if you made it; a batch's folder is only read."
        )
    name_homes(context, [home])


def _found(path: Path) -> Path:
    """Return a folder's real path: a home that is named twice is read once."""
    home = real_path(path)
    if home.exists() and not home.is_dir():
        raise UsageError(f"{home} is not a folder: name the folder of a home.")
    if not home.is_dir():
        raise UsageError(
            f"There is no folder {home}: `sii init {shlex.quote(str(path))}` makes a home."
        )
    return home
