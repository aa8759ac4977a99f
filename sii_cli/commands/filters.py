"""Options that say which recordings a command is about; the index answers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.commands.moments import moment, span
from sii_cli.commands.recorded import open_store
from sii_cli.errors import SiiError

if TYPE_CHECKING:
    from recordings.find import Filter
    from recordings.index import RecordingIndex
    from recordings.store import RecordingStore

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

STATUSES = (
    *("done", "interrupted", "limit", "cut_off", "empty", "loop", "infra", "failed"),
    *("open", "forked", "crashed", "damaged"),
)
APPROVALS = ("unreviewed", "approved", "rejected", "needs_work", "void")

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "status",
        {"type": click.Choice(STATUSES), "multiple": True, "help": "Ended so; may be repeated."},
    ),
    ("text", {"metavar": "TEXT", "help": "A part of the first message."}),
    ("model", {"metavar": "NAME", "help": "A part of the model's name."}),
    ("mode", {"metavar": "MODE", "help": "interactive, headless, batch, demo, imported."}),
    (
        "since",
        {"type": moment, "metavar": "TIME", "help": "Begun since: 2026-11-23, 3d."},
    ),
    ("until", {"type": moment, "metavar": "TIME", "help": "Begun before."}),
    ("tag", {"metavar": "TAG", "help": "Tagged so."}),
    ("query", {"metavar": "NAME", "help": "Made from this query."}),
    ("batch", {"metavar": "NAME", "help": "Part of this batch."}),
    ("tool", {"metavar": "NAME", "help": "Called this tool."}),
    ("error", {"metavar": "KIND", "help": "Had this kind of error: timeout, connect, …"}),
    ("approval", {"type": click.Choice(APPROVALS), "help": "Stands so after its reviews."}),
    ("reviewer", {"metavar": "NAME", "help": "Judged by this reviewer."}),
)
_RANGES: tuple[tuple[str, Any, str], ...] = (
    ("tokens", click.IntRange(min=0), "N"),
    ("steps", click.IntRange(min=0), "N"),
    ("duration", span, "TIME"),
)


def filter_options_but(*names: str) -> Decorator:
    """Return what gives a command an option for every field of a `Filter` but these."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, kind, metavar in reversed(_RANGES):
            for least, word in (("max", "most"), ("min", "least")):
                option = f"--{least}-{name}"
                help_text = f"{name.capitalize()}, at {word}."
                if name not in names:
                    asked = click.option(option, type=kind, metavar=metavar, help=help_text)
                    function = asked(function)
        for name, facts in reversed(_OPTIONS):
            if name not in names:
                function = click.option(f"--{name}", **facts)(function)
        return function

    return decorate


filter_options = filter_options_but()
"""Gives a command an option for every field of a `Filter`, for `make_filter`."""


def make_filter(options: dict[str, Any]) -> Filter:
    """Return the filter that the options ask for."""
    from recordings.find import Filter

    values = {name: options[name] for name, _ in _OPTIONS if name in options}
    for name, *_ in _RANGES:
        if f"min_{name}" in options:
            values[name] = (options[f"min_{name}"], options[f"max_{name}"])
    return Filter(**values)


@contextmanager
def open_index() -> Iterator[RecordingIndex]:
    """Open the index, brought up to date. Raises `SiiError` when it cannot be used.

    Where it cannot be written, a copy serves that is thrown away.
    """
    import sqlite3

    from recordings.index import INDEX

    store = open_store()
    try:
        with _writable_index(store) as index:
            index.refresh()
            yield index
    except (sqlite3.Error, OSError) as error:
        raise SiiError(
            f"The index of the recordings cannot be used ({error}): "
            f"see that {store.root} can be read, and delete {INDEX} there."
        ) from error


@contextmanager
def _writable_index(store: RecordingStore) -> Iterator[RecordingIndex]:
    from recordings.index import INDEX, RecordingIndex
    from sandbox.own_folder import OwnFolder

    if _may_write(store.root) and _may_write(store.root / INDEX):
        with RecordingIndex(store) as index:
            yield index
        return
    with OwnFolder("index") as folder:
        copy = folder / INDEX
        with suppress(FileNotFoundError):
            shutil.copyfile(store.root / INDEX, copy)
        with RecordingIndex(store, copy) as index:
            yield index


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) or not path.exists()
