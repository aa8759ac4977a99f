"""Exports of replays: a page and a cast that show what happened, when, and obey no text in them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recordings.errors import RecordingFailed, RecordingNotFound
from recordings.events import (
    Event,
    EventData,
    LiveDelta,
    MessageSpan,
    ModelDelta,
    ModelError,
    ModelRequest,
    ModelResponse,
    Observation,
    Permission,
    ToolCall,
    ToolOutput,
    UserMessage,
)
from recordings.replay.cast import write_cast
from recordings.replay.html import write_html
from recordings.replay.items import replay_items
from recordings.storage.log import read_events
from recordings.storage.pack import pack
from tests.recordings.data_of import data_of
from tests.recordings.recording_sessions import FakeSession, record_session

HOSTILE = "</script><script>alert(1)</script><!-- \x1b]0;owned\x07 \x1b[2J \x9b31m & é 修"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def be_hostile(session: FakeSession) -> None:
        session.round(1, message=HOSTILE)
        session.recorder.live(LiveDelta(99, "content", HOSTILE))
        session.recorder.record(
            ModelError(step=99, attempt=1, kind="garbage", message=HOSTILE), "harness"
        )
        session.end()

    recording = tmp_path / "recording"
    recording.mkdir()
    record_session(recording, change=be_hostile)
    return recording


def page_data(page: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def cast_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_page_holds_everything_that_was_shown(folder: Path, tmp_path: Path) -> None:
    write_html(folder, tmp_path / "page.html")
    data = page_data((tmp_path / "page.html").read_text("utf-8"))
    items = list(replay_items(read_events(folder)))
    assert [item[1:4] for item in data["items"]] == [[i.kind, i.key, i.text] for i in items]
    observed = [e.data.text for e in read_events(folder) if isinstance(e.data, Observation)]
    assert [item[3] for item in data["items"] if item[1] == "observation"] == observed
    said = [e.data.text for e in read_events(folder) if isinstance(e.data, UserMessage)]
    assert [item[3] for item in data["items"] if item[1] == "user"] == said
    assert any(item[4] and item[4]["error"] for item in data["items"])


def test_the_page_is_self_contained_and_no_text_of_it_is_markup(
    folder: Path, tmp_path: Path
) -> None:
    write_html(folder, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    assert "innerHTML" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=|url\(|@import|https?://", page.split('id="data"')[0])


def test_streamed_text_is_shown_once(folder: Path) -> None:
    reasoning: dict[Any, str] = {}
    for item in replay_items(read_events(folder)):
        if item.kind == "reasoning":
            reasoning[item.key] = reasoning.get(item.key, "") + item.text
    whole = [one.reasoning for one in data_of(read_events(folder), ModelResponse)]
    assert [text.strip() for text in reasoning.values()] == whole


def event(seq: int, data: EventData) -> Event:
    return Event("s", seq, 1.0, 1.0, "model", data)


def request(step: int) -> ModelRequest:
    span = MessageSpan(keep=0, new=[])
    return ModelRequest(
        step=step, attempt=1, request_id="r", messages=span, messages_sha256="", params={}
    )


def test_an_attempt_that_failed_is_told_apart_from_the_next() -> None:
    def half(text: str) -> ModelDelta:
        return ModelDelta(step=1, kind="content", text=text)

    failed = ModelError(step=1, attempt=1, kind="timeout", message="gone", retry_in=1.0)
    datas: tuple[EventData, ...] = (
        request(1),
        half("It is"),
        failed,
        request(1),
        half("No: "),
        half("it is not."),
    )
    texts: dict[str, str] = {}
    for item in replay_items(event(seq, data) for seq, data in enumerate(datas)):
        if item.kind == "content":
            texts[item.key] = texts.get(item.key, "") + item.text
    assert list(texts.values()) == ["It is", "No: it is not."]


def test_calls_whose_ids_a_server_uses_again_are_told_apart() -> None:
    approval = Permission(by="mode", mode="auto")
    call = ToolCall(
        step=1, call_id="0", index=0, name="bash", arguments="{}", parsed={}, approval=approval
    )
    seen = Observation(step=1, call_id="0", name="bash", text="seen", seconds=0.1)
    never = Observation(step=3, call_id="0", name="grep", text="Not run", seconds=0.0)
    datas: list[EventData] = [call, ToolOutput(call_id="0", text="s"), seen, call, seen, never]
    items = list(replay_items(event(seq, data) for seq, data in enumerate(datas)))
    told = [(item.kind, item.text) for item in items]
    one = [("call", "bash {}"), ("observation", "seen")]
    assert told == [
        one[0],
        ("output", "s"),
        *one[1:],
        *one,
        ("call", "grep"),
        ("observation", "Not run"),
    ]
    keys = [item.key for item in items]
    assert keys == [keys[0]] * 3 + [keys[3]] * 2 + [keys[5]] * 2
    assert len(set(keys)) == 3


def test_the_cast_is_a_cast_whose_clock_goes_on(folder: Path, tmp_path: Path) -> None:
    write_cast(folder, tmp_path / "a.cast")
    header, *events = cast_lines(tmp_path / "a.cast")
    assert header["version"] == 2
    assert header["width"] > 0
    assert header["height"] > 0
    assert [kind for _, kind, _ in events] == ["o"] * len(events)
    times = [time for time, _, _ in events]
    assert times == sorted(times)
    text = "".join(text for _, _, text in events)
    for event in read_events(folder):
        if isinstance(event.data, Observation):
            assert event.data.text in text


def test_the_cast_obeys_no_control_character_of_a_text(folder: Path, tmp_path: Path) -> None:
    write_cast(folder, tmp_path / "a.cast")
    text = "".join(text for _, _, text in cast_lines(tmp_path / "a.cast")[1:])
    assert "owned" in text
    left = re.sub(r"\x1b\[(?:0|1|2|31|36)m|\r\n|\t", "", text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", left)


def test_a_packed_recording_is_exported(folder: Path, tmp_path: Path) -> None:
    write_html(folder, tmp_path / "plain.html")
    pack(folder)
    write_html(folder, tmp_path / "packed.html")
    assert (tmp_path / "plain.html").read_bytes() == (tmp_path / "packed.html").read_bytes()


@pytest.mark.parametrize("write", [write_html, write_cast])
def test_a_target_that_cannot_be_written_and_no_recording_are_sentences(
    folder: Path, tmp_path: Path, write: Callable[[Path, Path], object]
) -> None:
    with pytest.raises(RecordingFailed):
        write(folder, tmp_path / "missing" / "file")
    with pytest.raises(RecordingNotFound):
        write(tmp_path / "none", tmp_path / "file")
