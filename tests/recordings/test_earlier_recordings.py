"""Recordings made by an earlier version are read, verified, replayed and exported as they were.

`tests/fixtures/README.md` says what is in each. They are never changed; `SII_UPDATE_SNAPSHOTS=1`
writes `expected.json`, where a change of what is exported is meant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from recordings.conversation.restore import restore
from recordings.export.plan import ChosenPair, ChosenRecording, ExportOptions
from recordings.export.registry import TARGETS, find_target
from recordings.export.run import export
from recordings.redaction.secrets import SecretFinder
from recordings.replay.cast import write_cast
from recordings.replay.html import write_html
from recordings.replay.items import replay_items
from recordings.reviews.approval import standing
from recordings.reviews.protocol import ReviewProtocol
from recordings.reviews.reviews import read_reviews
from recordings.storage.lines import decode_event, encode_event, parse_line
from recordings.storage.log import read_events, read_lines, recording_hash
from recordings.store.store import RecordingStore
from recordings.store.summary import summarise
from recordings.verify import verify

FIXTURES = Path(__file__).parents[1] / "fixtures"
STORE = RecordingStore(FIXTURES / "recordings")
EXPECTED = FIXTURES / "expected.json"
IDS = sorted(STORE.ids())
NAMES: dict[str, str] = json.loads((FIXTURES / "names.json").read_text())
"""Ids by what the recording shows."""


@cache
def expected() -> dict[str, Any]:
    return json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}


def check_expected(kind: str, name: str, found: Any) -> None:
    """Compare with what is kept; `SII_UPDATE_SNAPSHOTS=1` keeps what was found instead."""
    if os.environ.get("SII_UPDATE_SNAPSHOTS"):
        expected().setdefault(kind, {})[name] = found
        EXPECTED.write_text(json.dumps(expected(), indent=1, sort_keys=True) + "\n")
    assert found == expected()[kind][name]


def test_every_recording_is_named() -> None:
    assert sorted(NAMES.values()) == IDS


@pytest.mark.parametrize("recording", IDS)
def test_it_is_summed_up_as_it_was(recording: str) -> None:
    one = summarise(STORE.root / recording)
    about = (one.status, one.mode, one.model, one.first_message, one.batch, one.query, one.outcome)
    figures = (one.started, one.rounds, one.steps, one.tokens, round(one.duration, 6), one.attempt)
    check_expected("summaries", recording, [*about, *figures])


@pytest.mark.parametrize("recording", IDS)
def test_it_is_verified_as_it_was(recording: str) -> None:
    result = verify(STORE.root / recording)
    torn = [problem.what for problem in result.problems]
    assert len(torn) == (recording == NAMES["crashed"]), torn
    assert all("torn last line" in what for what in torn)
    counts = [result.lines, result.blobs, result.ids, result.requests, result.head]
    check_expected("verified", recording, counts)


@pytest.mark.parametrize("recording", IDS)
def test_its_events_are_written_to_the_same_bytes(recording: str) -> None:
    for line in read_lines(STORE.root / recording):
        assert encode_event(decode_event(parse_line(line.text)))[0] == line.text


@pytest.mark.parametrize("recording", IDS)
def test_its_conversation_is_rebuilt_as_it_was(recording: str) -> None:
    rebuilt = restore(STORE.root / recording)
    digest = hashlib.sha256(b"\n".join(one.encoded for one in rebuilt.messages)).hexdigest()
    about = [rebuilt.sent, rebuilt.under_way, rebuilt.round_open, len(rebuilt.unanswered)]
    check_expected("conversations", recording, [digest, len(rebuilt.trail), *about])


@pytest.mark.parametrize("recording", IDS)
def test_it_is_replayed_as_it_was(recording: str, tmp_path: Path) -> None:
    folder = STORE.root / recording
    items = list(replay_items(read_events(folder)))
    texts = "".join(item.text for item in items if item.kind != "note")
    kinds = Counter(item.kind for item in items)
    digest = hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()
    check_expected("replays", recording, [digest, dict(kinds)])
    write_html(folder, tmp_path / "page.html")
    write_cast(folder, tmp_path / "page.cast")
    assert (tmp_path / "page.cast").read_bytes().count(b"\n") > len(kinds)


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_exported_to_the_same_bytes(target: str, tmp_path: Path) -> None:
    found = find_target(target)
    out = tmp_path / "out"
    sources = {name: _source(STORE.root / recording) for name, recording in NAMES.items()}
    units = list(sources.values())
    pair = ChosenPair(sources["better"], sources["worse"], "rejected")
    options = ExportOptions(validation=0.2, dedupe="report")
    finder = SecretFinder({})
    export([pair] if found.of_pairs else units, out, found, options, finder, "sii 0")
    check_expected("exports", target, dict(_digests(out)))


def _source(folder: Path) -> ChosenRecording:
    sha256, reviews = recording_hash(folder), read_reviews(folder)
    parent = [event.parent.session for event in read_events(folder) if event.parent]
    start = summarise(folder)
    return ChosenRecording(
        folder,
        sha256,
        standing(reviews, sha256, ReviewProtocol("all")).state,
        tuple(review.reviewer for review in reviews),
        query=start.query,
        batch=start.batch,
        parent=parent[-1] if parent else None,
        first_message=start.first_message,
    )


def _digests(out: Path) -> Iterator[tuple[str, str]]:
    """Yield the files that programs read, each with the hash of what it says."""
    for path in sorted(out.iterdir()):
        if path.name == "README.md":
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":  # its bytes also name the version of pyarrow
            import pyarrow.parquet

            content = orjson.dumps(pyarrow.parquet.read_table(path).to_pylist())
        elif path.name == "manifest.json" and (out / "train.parquet").exists():
            continue  # has the hash of the table's bytes
        yield path.name, hashlib.sha256(content).hexdigest()
