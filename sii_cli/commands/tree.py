"""`sii tree`: the family of a recording, from its oldest ancestor to all forks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from sii_cli.options.filters import open_indexes
from sii_cli.options.homes import homes_option
from sii_cli.options.protocol import load_protocol
from sii_cli.options.recordings import REFS_HELP, find_one, warn_when_void
from sii_cli.options.settings import example
from sii_cli.options.standings import STANDINGS
from sii_cli.options.viewer import viewer_of
from sii_cli.render.figures import counted

if TYPE_CHECKING:
    from recordings.index.find import FoundRecording

Forks = Mapping[str, list["FoundRecording"]]


@click.command(
    "tree",
    help="Show the family of a recording: what it was forked from, and all forks with the events "
    f"they were forked at. {REFS_HELP}",
    epilog=example("sii tree last", "sii tree 20261123-2049"),
)
@click.argument("ref", metavar="ID")
@homes_option
def command(ref: str) -> None:
    """Show a recording's family."""
    from recordings.index.find import find_in

    folder = find_one(ref)
    warn_when_void(folder)
    asked = folder.name
    protocol = load_protocol()
    viewer = viewer_of(protocol)
    with open_indexes() as indexes:
        found = find_in(indexes, sort="id", ascending=True, protocol=protocol, viewer=viewer)
    known = {one.summary.id: one for one in found}
    known[asked] = next(one for one in found if one.summary.folder == folder)
    forks: dict[str, list[FoundRecording]] = {}
    for one in known.values():
        forks.setdefault(one.parent or "", []).append(one)
    for line in _lines(_oldest(known[asked], known), forks, asked):
        click.echo(line)


def _oldest(found: FoundRecording, known: Mapping[str, FoundRecording]) -> FoundRecording:
    """Return the oldest ancestor that is there."""
    passed = {found.summary.id}
    while found.parent and found.parent in known and found.parent not in passed:
        found = known[found.parent]
        passed.add(found.summary.id)
    return found


def _lines(root: FoundRecording, forks: Forks, asked: str) -> Iterator[str]:
    """Yield the tree's lines; a recording is shown once, whatever recordings say of parents."""
    if root.parent is not None:
        yield f"{_short(root.parent)}  (not here)"
    waiting = [(root, "", "")]
    shown: set[str] = set()
    while waiting:
        found, lead, indent = waiting.pop()
        if found.summary.id in shown:
            continue
        shown.add(found.summary.id)
        yield lead + _line(found, asked)
        own = sorted(forks.get(found.summary.id, []), key=lambda fork: fork.parent_seq or 0)
        for number, fork in reversed(list(enumerate(own, 1))):
            last = number == len(own)
            joint, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
            waiting.append((fork, indent + joint, indent + below))


def _line(found: FoundRecording, asked: str) -> str:
    from sii_cli.text.sanitise import one_line

    summary = found.summary
    at = f"  forked at {found.parent_seq}" if found.parent is not None else ""
    mark = "  ←" if summary.id == asked else ""
    label = STANDINGS[found.approval].label
    approval = f"  {label}" if label else ""
    steps = counted(summary.steps, "step", "steps")
    task = _short(summary.first_message)
    state = "" if summary.state == "ended" else summary.state
    ended = " ".join(filter(None, (one_line(summary.session_outcome or "", 20), state)))
    return f"{summary.id}{at}  {ended}  {steps}{approval}  {task}{mark}"


def _short(text: str) -> str:
    from sii_cli.text.sanitise import one_line

    return one_line(text, 50)
