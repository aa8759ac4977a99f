"""Options that select recordings, and the index that finds them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recordings.outcomes import OUTCOMES, STATES
from sii_cli.config.home_key import review_keys
from sii_cli.config.homes import key_home_of
from sii_cli.errors import SiiError
from sii_cli.options.homes import homes_option
from sii_cli.options.outcomes import OutcomeChoice
from sii_cli.options.recordings import open_collections, warn
from sii_cli.options.standings import STANDINGS
from sii_cli.options.times import parse_duration, parse_time

if TYPE_CHECKING:
    from recordings.index.find import Filter
    from recordings.index.index import RecordingIndex
    from recordings.reviews.keys import ReviewKeys
    from recordings.store.collection import Collection

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

STATUSES = (*OUTCOMES, *STATES, "done", "empty")
"""What `--status` accepts: the words of both tables, and those of a session's last event."""

_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "outcome",
        {
            "type": OutcomeChoice(OUTCOMES),
            "multiple": True,
            "help": "How the session ended; may be repeated.",
        },
    ),
    (
        "state",
        {
            "type": click.Choice(STATES),
            "multiple": True,
            "help": "What the recording is on disk; may be repeated.",
        },
    ),
    ("status", {"type": click.Choice(STATUSES), "multiple": True, "hidden": True}),
    ("text", {"metavar": "TEXT", "help": "A part of the first message."}),
    ("model", {"metavar": "NAME", "help": "A part of the model's name."}),
    ("mode", {"metavar": "MODE", "help": "interactive, headless, batch, demo, imported."}),
    (
        "since",
        {"type": parse_time, "metavar": "TIME", "help": "Begun since: 2026-11-23, 3d."},
    ),
    ("until", {"type": parse_time, "metavar": "TIME", "help": "Begun before."}),
    ("tag", {"metavar": "TAG", "help": "Tagged so."}),
    ("query", {"metavar": "NAME", "help": "Made from this query."}),
    ("batch", {"metavar": "NAME", "help": "Part of this batch."}),
    ("tool", {"metavar": "NAME", "help": "Called this tool."}),
    (
        "error",
        {"metavar": "KIND", "help": "Had this kind of error: timeout, tool_infra, …"},
    ),
    ("approval", {"type": click.Choice(tuple(STANDINGS)), "help": "Standing after its reviews."}),
    ("reviewer", {"metavar": "NAME", "help": "Judged by this reviewer."}),
)
_RANGES: tuple[tuple[str, Any, str], ...] = (
    ("tokens", click.IntRange(min=0), "N"),
    ("steps", click.IntRange(min=0), "N"),
    ("duration", parse_duration, "TIME"),
    ("score", click.FloatRange(0, 1), "SHARE"),
)


def filter_options_but(*names: str) -> Decorator:
    """Return a decorator that gives a command an option for every field of a `Filter` but these."""

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
        return homes_option(function)

    return decorate


filter_options = filter_options_but()
"""Decorator that gives a command an option for every field of a `Filter`."""


def make_filter(options: dict[str, Any]) -> Filter:
    """Return the filter of the options."""
    from recordings.index.find import Filter

    values = {name: options[name] for name, _ in _OPTIONS if name in options}
    for name, *_ in _RANGES:
        if f"min_{name}" in options:
            values[name] = (options[f"min_{name}"], options[f"max_{name}"])
    return Filter(**values)


@contextmanager
def open_indexes() -> Iterator[list[RecordingIndex]]:
    """Open the indexes of the homes that are read, and update them. Warns of each batch that cannot
    be read. A home without recordings has none. Raises `SiiError` when one cannot be used.
    """
    with ExitStack() as stack:
        collections = [one for one in open_collections() if one.exists]
        indexes = [stack.enter_context(_open_index(one)) for one in collections]
        for sentence in (sentence for one in open_collections() for sentence in one.refused):
            warn(sentence)
        yield indexes


@contextmanager
def _open_index(collection: Collection) -> Iterator[RecordingIndex]:
    """Open a home's index and update it. Raises `SiiError` when it cannot be used.

    An index that cannot be written is copied; the copy is removed afterwards.
    """
    import sqlite3

    from recordings.index.index import INDEX
    from recordings.storage.sqlite_files import is_full, is_held

    root = collection.own.root
    try:
        with ExitStack() as stack:
            yield _own_index(collection, stack) or _copied_index(collection, stack)
    except (sqlite3.Error, OSError) as error:
        remedy = f"see that {root} can be read, and delete {INDEX} there"
        if is_full(error):
            remedy = f"free some space in {root} or {tempfile.gettempdir()}"
        elif is_held(error):
            remedy = f"another process holds {root / INDEX}: wait for it, or end it"
        raise SiiError(
            f"The index of the recordings cannot be used ({error}): {remedy}."
        ) from error


def _own_index(collection: Collection, stack: ExitStack) -> RecordingIndex | None:
    """Return the store's own index, or None if it cannot be written."""
    import sqlite3

    from recordings.index.index import INDEX
    from recordings.storage.opening import UnexpectedFile
    from recordings.storage.sqlite_files import is_full

    root = collection.own.root
    if not (_may_write(root) and _may_write(root / INDEX)):
        return None
    try:
        index = stack.enter_context(_index_of(collection))
        index.refresh()
    except UnexpectedFile as error:
        warn(f"{error}: a temporary index is used; remove it to keep an index.")
        return None
    except sqlite3.OperationalError as error:
        if not is_full(error):
            raise
        return None
    return index


def _copied_index(collection: Collection, stack: ExitStack) -> RecordingIndex:
    from recordings.index.index import INDEX
    from recordings.storage.opening import open_file
    from sandbox.own_folder import OwnFolder

    copy = stack.enter_context(OwnFolder("index")) / INDEX
    inode = 0
    with (
        suppress(OSError),
        open(open_file(collection.own.root, INDEX), "rb") as kept,
        open(copy, "xb") as made,
    ):
        inode = os.fstat(kept.fileno()).st_ino
        shutil.copyfileobj(kept, made)
    index = stack.enter_context(_index_of(collection, copy, inode))
    index.refresh()
    return index


def _index_of(
    collection: Collection, path: Path | None = None, copied_from: int = 0
) -> RecordingIndex:
    from recordings.index.index import RecordingIndex

    return RecordingIndex(
        collection.own,
        path,
        batches=collection.batches,
        keys=_index_keys(collection.own.root),
        copied_from=copied_from,
    )


def _index_keys(root: Path) -> ReviewKeys:
    """Return the keys of a home, made if need be: they prove who wrote the index.

    If none can be made, a temporary index is used. Raises `HomeKeyUnusable`,
    `PeopleUnusable`, `KeysMissing`.
    """
    from recordings.errors import RecordingFailed
    from recordings.trust.home_key import home_key

    with suppress(RecordingFailed):
        home_key(key_home_of(root))
    return review_keys(root)


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK) if os.path.lexists(path) else _may_write(path.parent)
