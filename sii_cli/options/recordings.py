"""Recordings that a command line names, and warnings about them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError
from sii_cli.options.homes import homes_option

if TYPE_CHECKING:
    from recordings.store.collection import Collection
    from recordings.store.store import RecordingStore

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

LAST = "last"
"""The newest recording that this home made."""
REFS_HELP = "ID is an id, the beginning of one, or `last`."
_COLLECTIONS = "collections"
"""Of the running command, in click's `Context.meta`: batches are looked for once."""


def refs_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `ID…`, `--all` and `--home`, for `find_all`."""
    function = click.option(
        "--all", "everything", is_flag=True, help="All the recordings there are."
    )(function)
    return click.argument("refs", metavar="[ID]...", nargs=-1)(homes_option(function))


def open_store() -> RecordingStore:
    """Return the store of the user's home, in which new recordings are made."""
    from recordings.store.store import RecordingStore
    from sii_cli.config.settings import find_recordings

    return RecordingStore(find_recordings(os.environ))


def open_collections() -> list[Collection]:
    """Return the recordings of the homes that are read, and of their batches."""
    from recordings.store.collection import Collection
    from sii_cli.config.homes import read_homes

    context = click.get_current_context(silent=True)
    kept = {} if context is None else context.meta
    if _COLLECTIONS not in kept:
        kept[_COLLECTIONS] = [Collection(home) for home in read_homes()]
    found: list[Collection] = kept[_COLLECTIONS]
    return found


def open_stores() -> list[RecordingStore]:
    """Return the stores of the homes that are read, and of their batches."""
    return [store for collection in open_collections() for store in collection.stores]


def find_one(ref: str) -> Path:
    """Return a recording's folder. Raises `RecordingNotFound`."""
    return _resolve(open_stores(), ref)


def find_to_resume(ref: str) -> Path:
    """Return the folder of a recording of the home itself: sessions of batches are not resumed.

    Raises `RecordingNotFound`, `UsageError` for one of a batch.
    """
    from recordings.errors import RecordingNotFound
    from recordings.store.resolve import newest_first

    (collection,) = open_collections()  # a session runs in one home
    try:
        return _resolve([collection.own], ref)
    except RecordingNotFound:
        batches = list(collection.batches.values())
        for found in newest_first(batches) if ref else ():
            if not found.name.startswith(ref):
                continue
            raise UsageError(
                f"{found.name} is of the batch {found.parent.parent.name}, whose sessions are not "
                f"resumed: `sii fork {found.name} --at SEQ` begins a session that can be."
            ) from None
        raise


def find_all(refs: Sequence[str], everything: bool) -> list[Path]:
    """Return the folders of the recordings named, each once; all of them are the newest first.

    Raises `RecordingNotFound`, `UsageError`.
    """
    if everything and refs:
        raise UsageError("Say --all or name recordings, not both.")
    if not everything and not refs:
        raise UsageError("Say which recordings: their ids, `last`, or --all.")
    stores = open_stores()
    if everything:
        from recordings.store.resolve import newest_first

        return list(newest_first(stores))
    return list(dict.fromkeys(_resolve(stores, ref) for ref in refs))


def _resolve(stores: Sequence[RecordingStore], ref: str) -> Path:
    """Return the folder of a recording; `last` is the newest that this home made.

    For a home without a key `last` is the newest recording.
    Raises `RecordingNotFound`, `HomeKeyUnusable`.
    """
    from recordings.store.resolve import newest_first, resolve

    if ref != LAST:
        return resolve(ref, stores)
    from recordings.errors import RecordingNotFound
    from recordings.trust.home_key import find_key
    from recordings.trust.origin import seems_own
    from sii_cli.config.homes import key_home_of

    newest = resolve(LAST, stores)
    keys = {home: find_key(home) for home in {key_home_of(store.root) for store in stores}}
    if not any(keys.values()):
        return newest
    folders = newest_first(stores)
    own = next((one for one in folders if seems_own(one, keys[key_home_of(one)])), None)
    if own == newest:
        return newest
    passed_over = f"this home cannot prove that it made {newest.name}"
    if own is None:
        raise RecordingNotFound(
            f"No recording in {stores[0].root} is yours ({passed_over}): name one by its id."
        )
    warn(f"`last` is {own.name}: {passed_over}, which is newer. Name it by its id if you mean it.")
    return own


def warn_when_void(folder: Path) -> None:
    """Warn if a recording's approval no longer holds."""
    from recordings.errors import UNREADABLE, why_damaged
    from recordings.storage.files import REVIEWS

    if not (folder / REVIEWS).exists():
        return
    from recordings.reviews.approval import standing
    from recordings.storage.log import recording_hash
    from sii_cli.options.protocol import protocol_file
    from sii_cli.options.viewer import seen_reviews, viewer_of

    try:
        reviews = seen_reviews(folder, viewer_of(protocol_file()))
        stands = standing(reviews, recording_hash(folder))
    except UNREADABLE as error:
        warn(why_damaged(error))
        return
    if stands.void:
        warn(void_sentence(folder.name, stands.void))


def warn_of_outages(folder: Path) -> None:
    """Warn if calls failed for a reason of the installation."""
    from recordings.conversation.outages import outages_of
    from recordings.errors import UNREADABLE

    try:
        outages = outages_of(folder)
    except UNREADABLE:
        return  # the command itself says what is wrong with it
    if outages:
        warn(outage_sentence(outages))


def outage_sentence(outages: Counter[str]) -> str:
    """Return a sentence that names the calls that hit an outage, and what follows."""
    tools = ", ".join(f"{name} {count}" for name, count in outages.most_common())
    return (
        f"Calls failed for a reason of the installation, not of the model (tool_infra: {tools}): "
        "what follows them in their rounds is not trained, unless `sii export "
        "--train-after-outage` is said."
    )


def void_sentence(name: str, reviewers: Sequence[str]) -> str:
    """Return a sentence that names the reviewers whose verdicts no longer hold."""
    return (
        f"The recording {name} has changed since it was reviewed by {', '.join(reviewers)}: "
        "that verdict no longer holds (`sii review` judges it again)."
    )


def warn(text: str) -> None:
    """Print a warning on stderr; the command continues."""
    from sii_cli.text.sanitise import one_line

    click.echo(f"sii: {one_line(text, 1000)}", err=True)
