"""Reads a command line as `sii` would, and runs nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sii_cli.commands.group import cli
from sii_cli.config.settings import SETTING_NAMES
from sii_cli.config.values import Source, check_value


def find(words: Sequence[str]) -> tuple[click.Command, str, list[str]]:
    """Return the command that a line names, its name, and the words that are left.

    Raises `click.UsageError`.
    """
    command: click.Command = cli
    name, rest = "sii", [os.path.expanduser(word) for word in words[1:]]
    if rest[:1] == ["--debug"]:  # taken before click reads the rest
        rest.pop(0)
    while isinstance(command, click.Group) and (rest or command is cli):
        context = click.Context(command, info_name=name)
        rest = command.parse_args(context, rest)
        found, inner, rest = command.resolve_command(context, [*context._protected_args, *rest])
        assert found is not None
        assert inner is not None
        name, command = found, inner
    return command, name, rest


def parse(words: Sequence[str]) -> dict[str, Any]:
    """Return the values of a full command line, those of settings checked.

    Raises `click.UsageError`, `UsageError`.
    """
    if words[-1] in ("--help", "--version"):
        words = words[:-1]
    command, name, rest = find(words)
    if isinstance(command, click.Group):
        return {}
    with command.make_context(name, rest) as context:
        values = context.params
    for key, value in values.items():
        if key in SETTING_NAMES and value is not None:
            check_value(Source("flag", {}, Path.cwd()), key, value)
    return values


def options_of(command: click.Command) -> set[str]:
    """Return every flag of a command."""
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
