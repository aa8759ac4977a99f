"""Lines that are sealed and chained as ours are, with values of other kinds in them.

Each reader says so in its own words or reads on, and no other recording is hidden by it.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.conversation.fork import ancestors
from recordings.conversation.restore import restore
from recordings.errors import RecordingError
from recordings.index.find import find, search
from recordings.index.index import RecordingIndex
from recordings.replay.html import write_html
from recordings.storage.lines import seal
from recordings.storage.log import LOG, read_events
from recordings.store.store import RecordingStore
from recordings.store.summary import has_open_round, summarise
from recordings.store.workspaces import snapshots_of, workspace_at
from recordings.verify import verify
from tests.recordings.recording_sessions import record_session

VALUES: tuple[Any, ...] = (5, "x", [], {}, None, 1e300, -1, 2**63, True, [1, "a"], {"a": [1]})
READERS: tuple[Callable[[Path], object], ...] = (
    summarise,
    has_open_round,
    restore,
    verify,
    ancestors,
    lambda folder: list(read_events(folder)),
    lambda folder: list(snapshots_of(folder)),
    lambda folder: workspace_at(folder, 9),
    lambda folder: write_html(folder, folder / "page.html"),
)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, item in items:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from places(item, (*place, key))


def sealed(events: list[dict[str, Any]]) -> bytes:
    prev, lines = "", []
    for event in events:
        line, prev = seal(orjson.dumps(event | {"prev": prev})[:-1])
        lines.append(line + b"\n")
    return b"".join(lines)


def plant(events: list[dict[str, Any]], rng: random.Random) -> str:
    """Put another value somewhere; return where."""
    event = rng.choice([next(e for e in events if e["type"] == kind) for kind in kinds(events)])
    *above, last = rng.choice([place for place in places(event) if place != ("prev",)])
    at: Any = event
    for key in above:
        at = at[key]
    at[last] = rng.choice(VALUES)
    return f"{event['type']} {above} {last}: {at[last]!r}"


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return sorted({event["type"] for event in events})


@pytest.mark.parametrize("seed", range(3))
def test_values_of_other_kinds_are_a_fault_of_the_recording_alone(
    tmp_path: Path, seed: int
) -> None:
    rng, store = random.Random(seed), RecordingStore(tmp_path / "recordings")
    (_, whole), (_, bad) = store.create_folder(), store.create_folder()
    record_session(whole, rounds=1)
    text = (whole / LOG).read_text("utf-8")
    for _ in range(40):
        events = [json.loads(line) for line in text.splitlines()]
        for event in events:
            del event["sum"]
        planted = plant(events, rng)
        (bad / LOG).write_bytes(sealed(events))
        for read in READERS:
            try:
                read(bad)
            except RecordingError:
                pass
            except Exception as error:
                raise AssertionError(f"{read} of {planted}") from error
        with RecordingIndex(store) as index:
            index.refresh()
            assert whole.name in [found.summary.id for found in find(index)], planted
            assert any(hit.id == whole.name for hit in search(index, "ledger")), planted
