"""`sii import`: trajectories from elsewhere, as recordings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sii_cli import __version__
from sii_cli.options.homes import home_option
from sii_cli.options.recordings import open_store
from sii_cli.options.settings import example

if TYPE_CHECKING:
    from recordings.importing.conversations import ImportedConversation
    from recordings.store.store import RecordingStore


@click.command(
    "import",
    help="Make recordings of trajectories from elsewhere: ATIF documents, and JSON lines of "
    "`messages` with `tools` as OpenAI's or LIMI's data has them. They are marked imported and "
    "have no token ids, so they can be exported as messages, not as tokens. Nothing is imported "
    "when a file holds something else.",
    epilog=example("sii import train.jsonl --batch limi --license apache-2.0", "sii import *.json"),
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--batch", metavar="NAME", help="What they are listed under.")
@click.option("--license", "license_", metavar="NAME", help="Of all of them.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="May be repeated.")
@home_option
def command(
    files: tuple[Path, ...], batch: str | None, license_: str | None, tags: tuple[str, ...]
) -> None:
    """Import conversations."""
    from recordings.importing.conversations import NotImportable, read_conversations
    from sii_cli.errors import UsageError

    store, made = open_store(), 0
    try:
        found = sum(1 for path in files for _ in read_conversations(path))
    except NotImportable as error:
        raise UsageError(str(error)) from None
    for path in files:
        for conversation in read_conversations(path):
            name = _record(store, conversation, batch=batch, license_name=license_, tags=tags)
            made += 1
            click.echo(f"{name}  {conversation.source}")
    click.echo(f"{made} of {found} trajectories are recordings now", err=True)


def _record(store: RecordingStore, conversation: ImportedConversation, **about: Any) -> str:
    """Record a conversation whole, or not at all; return its id. Raises `RecordingFailed`."""
    from recordings.errors import RecordingFailed
    from recordings.importing.record import Neutraliser, record_conversation
    from recordings.recorder import Recorder
    from sii_cli.model.control_tokens import neutralise, neutralise_turn

    name, folder = store.create_folder()
    try:
        recorder = Recorder.create(folder, name)
        neutraliser = Neutraliser(neutralise, neutralise_turn)
        record_conversation(recorder, conversation, neutraliser, made_by=__version__, **about)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RecordingFailed):
            raise RecordingFailed(f"{conversation.source} was not imported: {error}") from None
        raise
    return name
