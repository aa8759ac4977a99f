"""The document says what the code does: its reference is the code's, its examples are events."""

import json
import re
from pathlib import Path

import pytest

from recordings.events import EVENT_TYPES, EventData
from recordings.storage.lines import decode_event, parse_line
from recordings.storage.log import read_events
from recordings.verify import verify
from tests.recordings.recording_examples import EXAMPLES, example_lines
from tests.recordings.recording_reference import DOCUMENT, document


def test_the_reference_is_up_to_date():
    text = DOCUMENT.read_text("utf-8")
    assert document(text) == text, "run: python tests/recordings/recording_reference.py"


def test_every_event_can_be_read_back():
    assert set(EVENT_TYPES.values()) == set(EventData.__subclasses__())


def test_every_event_type_has_an_example():
    assert {data.type for data, _ in EXAMPLES} == set(EVENT_TYPES)


def test_the_examples_of_the_document_are_read_as_events():
    blocks = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    shown = {event.type: event for event in (decode_event(json.loads(block)) for block in blocks)}
    assert shown == {event.type: event for event, _ in example_lines()}


@pytest.mark.parametrize("folder", sorted((Path(__file__).parent / "versions").iterdir()))
def test_every_version_ever_released_is_read_and_whole(folder):
    """Kept as they were written; a version is added here, never changed."""
    assert {event.type for event in read_events(folder)} <= set(EVENT_TYPES)
    problems = [problem.what for problem in verify(folder).problems]
    assert all("blob" in what or "messages" in what for what in problems)


def test_the_examples_are_a_chain():
    for event, line in example_lines():
        assert decode_event(parse_line(line)) == event
