"""`sii data`: the data sets of a home, which sandboxes see read-only and never copy."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.config.settings import find_key_home
from sii_cli.errors import DONE, FAILED, UsageError
from sii_cli.options.homes import home_option
from sii_cli.options.recordings import warn
from sii_cli.options.settings import example
from sii_cli.render.figures import counted, size
from sii_cli.text.sanitise import one_line

if TYPE_CHECKING:
    from sii_cli.data_sets.data_set import DataSet


@click.group(
    "data",
    help="Manage the data sets of the home. A session (--data NAME) or a query "
    '("data": ["NAME"]) names them; its sandbox shows them read-only at /data/NAME. They are not '
    "copied, and are in no snapshot; recordings and exports have their hash and licence.",
    epilog=example(
        "sii data add imdb ~/sets/imdb --license CC-BY-4.0 --description 'Film reviews'",
        "sii -p 'Which films are liked?' --data imdb",
        "sii data list",
    ),
)
def command() -> None:
    """Without a command of its own: the help."""


@command.command(
    "add",
    help="Add the folder or file PATH under NAME. All of it is read once, for its hash. It stays "
    "where it is; when it changes, sessions refuse it until it is added again (--replace).",
    epilog=example("sii data add imdb ~/sets/imdb --license CC-BY-4.0"),
)
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--license", "license_name", help="Its licence, for recordings and exports.")
@click.option("--description", default="", help="What it is, which the model reads.")
@click.option("--replace", "replaces", is_flag=True, help="Replace the data set of this name.")
@home_option
def add_command(
    name: str, path: Path, license_name: str | None, description: str, replaces: bool
) -> None:
    """Add a data set."""
    from sii_cli.config.homes import users_homes
    from sii_cli.data_sets.registry import add_data_set

    added = add_data_set(
        find_key_home(os.environ),
        name,
        path,
        homes=users_homes(os.environ),
        license_name=license_name,
        description=description,
        replaces=replaces,
    )
    click.echo(_facts(added))


@command.command(
    "list",
    help="List the data sets. Exits with 1 when one is damaged.",
    epilog=example("sii data list --json"),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@home_option
def list_command(as_json: bool) -> int:
    """List the data sets; one that cannot be read is a warning."""
    from sii_cli.data_sets.registry import find_data_set, names_of

    home, status = find_key_home(os.environ), DONE
    names = names_of(home)
    for name in names:
        try:
            one = find_data_set(home, name)
        except UsageError as error:
            warn(str(error))
            status = FAILED
            continue
        click.echo(json.dumps(asdict(one)) if as_json else _facts(one))
    if not names:
        warn("This home has no data sets: `sii data add NAME PATH` adds one.")
    return status


@command.command(
    "show",
    help="Show a data set, and whether it is as it was added. Exits with 1 when it is not.",
    epilog=example("sii data show imdb"),
)
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@home_option
def show_command(name: str, as_json: bool) -> int:
    """Show a data set."""
    from sii_cli.data_sets.data_set import why_changed
    from sii_cli.data_sets.registry import find_data_set

    one = find_data_set(find_key_home(os.environ), name)
    changed = why_changed(one)
    if as_json:
        click.echo(json.dumps({**asdict(one), "place": one.place, "changed": changed}))
    else:
        click.echo(_facts(one))
        rows = {
            "path": one.path,
            "in a sandbox": one.place,
            "sha256": one.sha256,
            "added": time.strftime("%Y-%m-%d %H:%M", time.localtime(one.added)),
            "description": one.description,
        }
        for label, value in rows.items():
            if value:
                click.echo(f"  {label}: {one_line(value, 2000)}")
    if changed:
        warn(changed)
    return FAILED if changed else DONE


@command.command(
    "remove",
    help="Remove a data set from the home. Its content stays where it is, and recordings keep "
    "its hash.",
    epilog=example("sii data remove imdb"),
)
@click.argument("name")
@home_option
def remove_command(name: str) -> None:
    """Remove a data set."""
    from sii_cli.data_sets.registry import remove_data_set

    remove_data_set(find_key_home(os.environ), name)
    click.echo(f"The data set {name} is removed from this home; its content stays where it is.")


def _facts(one: DataSet) -> str:
    files = counted(one.files, "file", "files")
    named = one_line(one.license, 60) if one.license else "licence not known"
    return f"{one.name} · {files}, {size(one.size)} · {named} · {one.sha256[:12]}"
