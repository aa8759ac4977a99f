"""The examples in the reference of events are events, and every version released is read."""

import json
from pathlib import Path

import pytest

from recordings.events import EVENT_TYPES, EventBase
from recordings.storage.lines import decode_event, parse_line
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.docs.shown import ROOT, blocks
from tests.recordings.recording_examples import EXAMPLES, example_lines


def test_every_event_can_be_read_back() -> None:
    assert set(EVENT_TYPES.values()) == set(EventBase.__subclasses__())


def test_every_event_type_has_an_example() -> None:
    assert {data.type for data, _ in EXAMPLES} == set(EVENT_TYPES)


def test_the_examples_of_the_document_are_read_as_events() -> None:
    found = [one for one in blocks(ROOT / "docs/reference/events.md") if one.language == "json"]
    shown = {event.type: event for event in (decode_event(json.loads(one.text)) for one in found)}
    assert shown == {event.type: event for event, _ in example_lines()}


@pytest.mark.parametrize("folder", sorted((Path(__file__).parent / "versions").iterdir()))
def test_every_version_ever_released_is_read_and_whole(folder: Path) -> None:
    """Kept as they were written; a version is added here, never changed."""
    assert {event.type for event in read_events(folder)} <= set(EVENT_TYPES)
    problems = [problem.what for problem in verify(folder).problems]
    assert all("blob" in what or "messages" in what for what in problems)


def test_the_examples_are_a_chain() -> None:
    for event, line in example_lines():
        assert decode_event(parse_line(line)) == event
