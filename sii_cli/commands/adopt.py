"""`sii adopt`: move a batch from elsewhere into the home."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sii_cli.config.homes import home_words
from sii_cli.config.paths import real_path
from sii_cli.config.settings import BATCH_FILE, find_home
from sii_cli.errors import DONE, FAILED, SiiError, UsageError
from sii_cli.options.homes import home_option
from sii_cli.options.recordings import warn
from sii_cli.options.settings import example
from sii_cli.text.sanitise import one_line
from sii_cli.trust.requirements import MOST

if TYPE_CHECKING:
    from recordings.storage.opening import OpenFolder
    from recordings.trust.origin import RecordingOrigin

_MOST_LINES = 12
"""Of the directories of foreign recordings, and of their outcomes."""
_LONGEST = 1000
"""Characters of a line."""


@click.command(
    "adopt",
    help="Move the batch in DIR (of `sii batch --out DIR`) into the home, to batches/NAME. What it "
    "holds is printed first, then one question is asked. The yes trusts its recordings and counts "
    "their reviews, as `sii trust --reviews` does; `sii batch --resume` still asks for what a "
    "foreign plan opens. When it is killed, start it again.",
    epilog=example("sii adopt runs/monday", "sii adopt runs/monday --home limi-78 --yes"),
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def command(folder: Path, yes: bool) -> int:
    """Adopt a batch."""
    from sii_cli.batch.adoption import move_to_home, was_copied
    from sii_cli.batch.running.lock import locked

    home = find_home(os.environ)
    if was_copied(real_path(folder), home):
        target = move_to_home(real_path(folder), home)
    else:
        folder = _checked(folder, home)
        if not yes and not sys.stdin.isatty():
            raise UsageError("There is no terminal to ask at: say --yes when you know the batch.")
        with locked(folder):
            shown = _show(folder)
            if not (yes or click.confirm("Adopt it, and trust what it holds?")):
                return FAILED
            _trust(shown)
            target = move_to_home(folder, home)
    listing = f"sii list --batch {shlex.quote(target.name)}{home_words()}"
    click.echo(f"The batch is in {target}: `{listing}` shows it.")
    return DONE


def _checked(folder: Path, home: Path) -> Path:
    """Return the path of a batch's folder without links above it. Raises `UsageError`."""
    from sii_cli.batch.plan.pinned import is_batch, refuse_links

    if folder.is_symlink():
        raise UsageError(f"{folder} is a link: name the folder itself ({real_path(folder)}).")
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    folder, home = real_path(folder), real_path(home)
    if folder.is_relative_to(home):
        raise UsageError(f"{folder} is in the home {home} already.")
    if home.is_relative_to(folder):
        raise UsageError(f"{folder} holds the home {home}: name the folder of a batch.")
    if folder.is_mount():
        raise UsageError(f"{folder} is a mount point, which cannot be moved: copy it elsewhere.")
    if not folder.name.isprintable() or folder.name.startswith("."):
        raise UsageError(f"{folder.name!r} cannot be a batch's name: rename the folder.")
    if not is_batch(folder):
        raise UsageError(f"{folder} is not the folder of a batch (it has no {BATCH_FILE}).")
    refuse_links(folder)
    return folder


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording of the batch that can be trusted."""

    folder: Path
    head: str
    origin: RecordingOrigin


def _show(folder: Path) -> list[_Recording]:
    """Print what the folder holds; return what can be trusted."""
    from recordings.storage.log import is_locked
    from recordings.storage.opening import OpenFolder
    from recordings.store.collection import RECORDINGS
    from recordings.store.store import RecordingStore
    from recordings.store.summary import summarise
    from sandbox.snapshots import size_of
    from sii_cli.render.figures import counted, size

    store = RecordingStore(folder / RECORDINGS)
    folders = [store.root / name for name in store.ids()]
    if running := next((one.name for one in folders if is_locked(one)), None):
        raise SiiError(
            f"The session {running} is being written: adopt the batch when it has ended."
        )
    outcomes = Counter(summarise(one).session_outcome or "no outcome" for one in folders)
    click.echo(f"{folder}  {counted(len(folders), 'session', 'sessions')}, {size(size_of(folder))}")
    if outcomes:
        said = ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common(_MOST_LINES))
        click.echo(f"  {one_line(said, _LONGEST)}")
    with OpenFolder(folder) as opened:
        unusual = _unusual_files(opened)
    if unusual:
        click.echo(f"  {counted(unusual, 'link or device', 'links and devices')}, never followed")
    return _show_foreign(folders)


def _show_foreign(folders: Sequence[Path]) -> list[_Recording]:
    """Print what foreign recordings name; return all that can be trusted."""
    from recordings.errors import RecordingError
    from sii_cli.config.home_key import origin_here
    from sii_cli.options.recorded_names import named_by
    from sii_cli.render.figures import counted

    names: Counter[str] = Counter()
    found, foreign = [], 0
    for one in folders:
        try:
            named, origin = named_by(one), origin_here(one)
        except RecordingError as error:
            warn(f"{error} It is moved, and not trusted.")
            continue
        if origin == "foreign" and not named.whole:
            warn(f"{one.name} is broken: it is moved, and not trusted.")
            continue
        if origin == "foreign":
            foreign += 1
            names.update(named.lines)
        found.append(_Recording(one, named.head, origin))
    if foreign:
        click.echo(f"  {counted(foreign, 'recording is', 'recordings are')} foreign, and name:")
    _print_names(names)
    return found


def _print_names(names: Counter[str]) -> None:
    """Print what recordings name: their directories last, for each has its own. Those must not
    hide a call that would run.
    """
    directories = Counter({one: names[one] for one in names if one.startswith("directory: ")})
    for found, most in ((names - directories, MOST), (directories, _MOST_LINES)):
        for line, count in found.most_common(most):
            click.echo(f"    {line}" + (f"  ({count} recordings)" if count > 1 else ""))
        if len(found) > most:
            click.echo(f"    and {len(found) - most:,} more")


def _unusual_files(folder: OpenFolder, depth: int = 0) -> int:
    """Count the links, pipes and the like in a folder, as deep as snapshots go."""
    from sandbox.snapshots.entries import MAX_DEPTH

    unusual = 0
    for name in folder.names():
        status = folder.status(name)
        if status is None or stat.S_ISREG(status.st_mode):
            continue
        if not stat.S_ISDIR(status.st_mode):
            unusual += 1
        elif depth < MAX_DEPTH:
            try:
                inside = folder.inner(name)
            except OSError as error:
                where = folder.path / name
                raise SiiError(f"{where} cannot be read: {error.strerror}.") from error
            with inside:
                unusual += _unusual_files(inside, depth + 1)
    return unusual


def _trust(shown: Sequence[_Recording]) -> None:
    """Keep a yes to the recordings and their reviews. Raises `RecordingError`."""
    from recordings.reviews.reviews import vouch
    from recordings.storage.files import REVIEWS
    from recordings.trust.grants import grant
    from sii_cli.config.home_key import review_keys, writing_key
    from sii_cli.config.settings import find_key_home

    writing_key()
    keys = review_keys()
    for one in shown:
        if one.origin == "foreign":
            grant(find_key_home(os.environ), "recording", one.folder.name, one.head)
        if (one.folder / REVIEWS).exists():
            vouch(one.folder, keys, for_signed=True)
