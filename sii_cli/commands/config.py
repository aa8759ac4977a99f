"""`sii config`: the settings in force, and where each came from."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from sii_cli.config.settings import CONFIG_FILE, SETTING_NAMES, Settings, find_key_home
from sii_cli.errors import UsageError
from sii_cli.options.allow import trust_project
from sii_cli.options.homes import home_option
from sii_cli.options.settings import example, load, load_for_recordings, settings_options
from sii_cli.text.sanitise import one_line, sanitise

SIZES = {"memory", "disk", "tmp", "file_size", "output_size"}


@click.command(
    "config",
    help="Show every setting in force and where it came from, and what the collection pins.",
    epilog=example(
        "sii config", "sii config --json", "SII_MODEL=glm sii config", "sii config --trust"
    ),
)
@click.option(
    "--trust",
    "trusts",
    is_flag=True,
    help="Show what the project's file (.sii/config.toml) asks for, and trust it as it is now.",
)
@click.option(
    "--pin",
    "pinned",
    metavar="ID",
    help="Pin what this recording used (system prompt, tools, image, sampling) in the home's file; "
    "sessions that depart from it are marked.",
)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@settings_options
@home_option
def command(as_json: bool, trusts: bool, pinned: str | None, **flags: Any) -> None:
    """Show the settings."""
    if trusts:
        trust_project(flags)
    if pinned is not None:
        _pin(pinned)
        return
    settings = load(flags)
    values = settings.without_secrets()
    sources = {name: settings.sources.get(name, "default") for name in SETTING_NAMES}
    of_collection = _collection_values(settings)
    values |= of_collection
    sources |= dict.fromkeys(of_collection, str(find_key_home(os.environ) / CONFIG_FILE))
    if as_json:
        shown = {name: {"value": values[name], "source": sources[name]} for name in sources}
        click.echo(json.dumps(shown, indent=2))
    else:
        for name, source in sources.items():
            text = _size(values[name]) if name in SIZES else _text(values[name])
            line = f"{name:<19}  {text:<36}  {source}"
            click.echo(sanitise(line))
    for note in settings.notes:
        click.echo(f"note: {one_line(note, 300)}", err=True)


def _collection_values(settings: Settings) -> dict[str, Any]:
    """Return the goal and the pins that are set, by name."""
    goal = {} if settings.goal is None else {"goal": settings.goal}
    return goal | {f"pins.{name}": value for name, value in settings.pins.items()}


def _pin(ref: str) -> None:
    """Pin what a recording used. Raises `UsageError`, `RecordingError`."""
    from recordings.errors import MALFORMED, RecordingDamaged
    from recordings.pins import pinned_facts
    from recordings.storage.lines import parse_line
    from recordings.storage.log import read_lines
    from sii_cli.config.collection import write_pins
    from sii_cli.options.recordings import find_one

    home, folder = find_key_home(os.environ), find_one(ref)
    if load_for_recordings().pins:
        raise UsageError(f"{home / CONFIG_FILE} pins already: change it there.")
    try:
        facts = pinned_facts(parse_line(next(read_lines(folder)).text)["data"])
    except (StopIteration, *MALFORMED) as error:
        raise RecordingDamaged(f"{folder.name} has no beginning: {error!r}.") from None
    write_pins(home, facts)
    for name, value in facts.items():
        click.echo(sanitise(f"{name:<13}  {value}"))
    click.echo(f"Pinned in {home / CONFIG_FILE}, as {folder.name} has them.", err=True)


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
