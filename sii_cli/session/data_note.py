"""The harness message about the data sets of a session, before its first message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from recordings.conversation.data_sets import DATA_SETS
from recordings.events import HarnessMessage
from sii_cli.data_sets.data_set import DataSet
from sii_cli.model.control_tokens import neutralise

_HEAD = (
    "Data sets are shown to you read-only. Read them where they are, and write what you make of "
    "them into the workspace."
)


def data_note(data_sets: Sequence[DataSet], before: Mapping[str, str]) -> HarnessMessage | None:
    """Return what the model is to know of the data sets, or `None` where it knows it.

    `before` has those that it knows of, with their hashes; an empty hash is not known.
    """
    now = {one.name: one.sha256 for one in data_sets}
    gone = sorted(before.keys() - now.keys())
    if not gone and all(before.get(name) in ("", sha256) for name, sha256 in now.items()):
        return None
    lines = [_HEAD, *map(_line, data_sets)] if data_sets else []
    changed = sorted(name for name, old in before.items() if old and now.get(name, old) != old)
    lines += _sentence(changed, "has other content than before", "have other content than before")
    lines += _sentence(gone, "is not there any more", "are not there any more")
    return HarnessMessage(reason=DATA_SETS, text=neutralise("\n".join(lines))[0])


def _line(one: DataSet) -> str:
    files = "1 file" if one.files == 1 else f"{one.files:,} files"
    facts = [f"{files}, {one.size / 1e6:,.1f} MB", f"licence: {one.license or 'not known'}"]
    about = f". {' '.join(one.description.split())}" if one.description else ""
    return f"- {one.place}: {'; '.join(facts)}{about}"


def _sentence(names: Iterable[str], one: str, more: str) -> list[str]:
    found = list(names)
    if not found:
        return []
    return [f"{', '.join(found)} {one if len(found) == 1 else more}."]
