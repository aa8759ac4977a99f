"""Recordings that a command line names, and warnings about them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli.errors import UsageError

if TYPE_CHECKING:
    from recordings.store.store import RecordingStore

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

LAST = "last"
"""The newest recording that this home made."""
REFS_HELP = "ID is an id, the beginning of one, or `last`."


def refs_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `ID…` and `--all`, for `find_all`."""
    function = click.option(
        "--all", "everything", is_flag=True, help="All the recordings there are."
    )(function)
    return click.argument("refs", metavar="[ID]...", nargs=-1)(function)


def open_store() -> RecordingStore:
    """Return the store of the recordings."""
    from recordings.store.store import RecordingStore
    from sii_cli.config.settings import find_recordings

    return RecordingStore(find_recordings(os.environ))


def find_one(ref: str) -> Path:
    """Return a recording's folder. Raises `RecordingNotFound`."""
    return _resolve(open_store(), ref)


def find_all(refs: Sequence[str], everything: bool) -> list[Path]:
    """Return the folders of the recordings named, each once; all of them are the newest first.

    Raises `RecordingNotFound`, `UsageError`.
    """
    if everything and refs:
        raise UsageError("Say --all or name recordings, not both.")
    if not everything and not refs:
        raise UsageError("Say which recordings: their ids, `last`, or --all.")
    store = open_store()
    if everything:
        return [store.root / name for name in store.ids()]
    return list(dict.fromkeys(_resolve(store, ref) for ref in refs))


def _resolve(store: RecordingStore, ref: str) -> Path:
    """Return the folder of a recording; `last` is the newest that this home made.

    For a home without a key `last` is the newest recording.
    Raises `RecordingNotFound`, `HomeKeyUnusable`.
    """
    if ref != LAST:
        return store.resolve(ref)
    from recordings.errors import RecordingNotFound
    from recordings.trust.home_key import find_key
    from recordings.trust.origin import seems_own
    from sii_cli.config.settings import find_key_home

    newest, key = store.resolve(LAST), find_key(find_key_home(os.environ))
    if key is None:
        return newest
    own = next((name for name in store.ids() if seems_own(store.root / name, key)), None)
    if own == newest.name:
        return newest
    passed_over = f"this home cannot prove that it made {newest.name}"
    if own is None:
        raise RecordingNotFound(
            f"No recording in {store.root} is yours ({passed_over}): name one by its id."
        )
    warn(f"`last` is {own}: {passed_over}, which is newer. Name it by its id if you mean it.")
    return store.root / own


def warn_when_void(folder: Path) -> None:
    """Warn if a recording's approval no longer holds."""
    from recordings.errors import UNREADABLE, why_damaged
    from recordings.storage.files import REVIEWS

    if not (folder / REVIEWS).exists():
        return
    from recordings.reviews.approval import standing
    from recordings.reviews.reviews import counted_reviews
    from recordings.storage.log import recording_hash
    from sii_cli.config.home_key import review_keys

    try:
        stands = standing(counted_reviews(folder, review_keys()), recording_hash(folder))
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
