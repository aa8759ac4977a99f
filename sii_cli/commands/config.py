"""`sii config`: the settings in force, and where each came from."""

from __future__ import annotations

import json
from typing import Any

import click

from sii_cli.commands.options import example, load, settings_options
from sii_cli.config import SETTING_NAMES

SIZES = {"memory", "disk", "tmp", "file_size", "output_size"}


@click.command(
    "config",
    help="Show every setting in force and where it came from.",
    epilog=example("sii config", "sii config --json", "SII_MODEL=glm sii config"),
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@settings_options
def command(as_json: bool, **flags: Any) -> None:
    """Show the settings."""
    settings = load(flags)
    values = settings.without_secrets()
    sources = {name: settings.sources.get(name, "default") for name in SETTING_NAMES}
    if as_json:
        shown = {name: {"value": values[name], "source": sources[name]} for name in SETTING_NAMES}
        click.echo(json.dumps(shown, indent=2))
    else:
        for name in SETTING_NAMES:
            text = _size(values[name]) if name in SIZES else _text(values[name])
            click.echo(f"{name:<19}  {text:<36}  {sources[name]}")
    for note in settings.notes:
        click.echo(f"note: {note}", err=True)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "–"
    return "–" if value is None else str(value)


def _size(value: int) -> str:
    for unit in ("", "k", "m", "g"):
        if value < 1024 or value % 1024:
            return f"{value}{unit}"
        value //= 1024
    return f"{value}t"
